"""From an intent to booked fills, through any crash."""
