"""Trying many parameter sets: what to try, and trying it fast."""
