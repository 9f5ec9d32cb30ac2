"""From an approved intent to booked fills: nothing lost and nothing doubled, whatever breaks on the way."""
