"""Strategies written for other programs, read without running them."""
