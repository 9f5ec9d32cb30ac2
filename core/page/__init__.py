"""The live page: one account and what is stored, in a browser; and a loop's own health.

server.py    the aiohttp application, its thread, `serve(PageTerms(...))`
guard.py     who may look and who may command: host, origin, password, token
updates.py   what has changed since the last look, sent to every viewer
account.py   answers about the account: status, decisions, trades, journal, commands
market.py    answers about candles and saved backtests
health.py    /health and /metrics of a running loop
"""
