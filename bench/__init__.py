"""Speed, printed as ratios that one run measures, and compared with targets. Never part of the tests."""
