"""Showing that the ways to run a strategy agree, and that a stored run comes out again."""
