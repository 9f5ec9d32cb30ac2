"""What an exchange's WebSockets say, as hints, from a thread that no broken stream can harm."""
