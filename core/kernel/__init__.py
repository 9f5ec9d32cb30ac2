"""The compiled bar loop."""
