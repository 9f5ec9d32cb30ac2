"""What an account holds: orders, lots, money and what they are worth."""
