"""Candles from outside: checked row by row, read from files."""
