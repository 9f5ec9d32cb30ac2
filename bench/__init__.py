"""Speed, printed as ratios that one run measures. Never asserted."""
