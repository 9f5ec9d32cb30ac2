"""The engine: value types, simulation, data sources, exchange and settings."""
