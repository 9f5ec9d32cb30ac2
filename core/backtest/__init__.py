"""Runs of one strategy or one account over stored bars."""
