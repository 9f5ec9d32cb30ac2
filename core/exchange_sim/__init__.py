"""The local exchange: an HTTP server on 127.0.0.1 that speaks the venues' own protocols."""
