"""How an approved order is executed: pure state machines over a book, a clock and their own orders."""
