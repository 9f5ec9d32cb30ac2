"""The local exchange: an HTTP server on 127.0.0.1 that speaks the venues' own protocols.

    server.py      the aiohttp application, its thread, `serve(SimConfig(...))`; applies faults
    venue.py       what a venue is: a pure function from a request and the time to an answer
    binanceus.py   Binance.US REST: routes, parameter checks, error bodies
    binanceus_wire.py   the JSON of its answers
    kraken.py      Kraken's public REST
    limits.py      request weights, 429 and 418
    faults.py      the seeded fault schedule and what each fault does to an answer
    feed.py        candles, trades and prices of one source as seen at a moment
    tape.py        the trades inside a bar       ticker.py  24-hour statistics
    book.py        the order book around a price markets.py symbols, tick, lot and their filters
    candles.py     bars with turnover, grids, aggregation; the CandleSource protocol
    synthetic.py   generated candles             stored.py  candles from a database or from files

Trading will add accounts.py (balances, keys, signatures), matching.py (orders against the tape) and
the signed routes beside the public ones in binanceus.py; until then signed paths refuse the key.
"""
