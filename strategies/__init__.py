"""The strategies: one rule in one file each, plus what they share."""
