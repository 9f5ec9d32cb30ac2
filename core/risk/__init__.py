"""What an account may risk: limits, breakers, the checks of an order."""
