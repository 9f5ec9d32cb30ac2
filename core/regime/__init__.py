"""What kind of market it is."""
