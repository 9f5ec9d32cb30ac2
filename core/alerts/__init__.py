"""Telling a person who does not look: which event has which level, and its way to them."""
