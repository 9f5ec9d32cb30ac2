"""The command-line programs. Each parses, loads the settings, builds, runs and prints."""
