"""The local exchange: an HTTP and WebSocket server on 127.0.0.1 that speaks the venues' own protocols.

    server.py      the aiohttp application, its thread, `serve(SimConfig(...))`; applies faults
    venue.py       what a venue is: a pure function from a request and the time to an answer
    binanceus.py   Binance.US REST: routes, weights (binanceus_params.py checks what is asked,
                   binanceus_wire.py writes the JSON of the answers)
    kraken.py      Kraken's public REST
    limits.py      request weights and order counts, 429 and 418
    faults.py      the seeded fault schedule and what each fault does to an answer
    feed.py        candles, trades and prices of one source as seen at a moment
    tape.py        the trades inside a bar   ticker.py  statistics of the last 24 hours
    book.py        the order book            markets.py symbols with tick, lot and smallest order
    candles.py     bars with turnover, grids, aggregation; the CandleSource protocol
    synthetic.py   generated candles         stored.py  candles from a database or from files
    replay.py      clocks that put the exchange's present into the past

Streams (WebSocket), on the same port:

    sockets.py     frames in and out      streams.py   all connections, advanced to a moment
    sessions.py    what a connection of a venue is
    views.py       markets as all streams see them at a moment; followers.py   what changed since
    binanceus_streams.py, kraken_streams.py, kraken_channels.py   the venues' subscriptions
    binanceus_stream_wire.py, kraken_stream_wire.py               their JSON
    account_news.py   what happened to an account; binanceus_user_stream.py, kraken_private.py,
                   kraken_private_wire.py, kraken_tokens.py tell it

    stream_faults.py  which message meets a fault; stream_spoiler.py  what becomes of it

Trading, for one account at each venue:

    kraken_signed.py   Kraken's routes behind a key: kraken_changes.py places and cancels,
                   kraken_history.py tells, kraken_transfers.py; kraken_gate.py has nonce, signature and
                   counters, kraken_params.py reads fields, kraken_wire.py writes the JSON, kraken_names.py
                   has Kraken's names
    rules.py       what differs between venues in matching; kraken_rules.py is Kraken's
    signed.py      Binance.US's routes behind a key; order_params.py reads orders, order_wire.py writes them
    state.py       the account's past in a file
    trading.py     plays the feed's trades to the open orders whenever somebody asks
    matching.py    orders against the book and the tape; orders.py its values, liquidity.py what the
                   book still offers, filters.py the markets' filters, accounts.py key and balances
"""
