"""The database: typed models, set-up, and the candle store."""
