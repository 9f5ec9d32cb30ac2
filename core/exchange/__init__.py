"""What the exchange client is made of: calls, transport, limits, paging, order rules, error mapping."""
