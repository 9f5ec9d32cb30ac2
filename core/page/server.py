"""The page's HTTP server: files, answers as JSON, a stream of changes, commands for who may give them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from core.domain import Series
from core.errors import DatabaseError, HotCryptoError, UsageError
from core.page import account, market
from core.page.account import Look, Watched, look
from core.page.guard import HEADERS, NOT_OURS, TOO_OFTEN, Keys, Tries, host_of, may_command, may_look
from core.page.updates import changes
from core.serving import listen, serving
from core.symbols import check_written
from core.utils import timeframe_ms

FOLDERS = (Path(__file__).parent, Path(__file__).parents[1] / "reports")
FILES = {
    "live.css": "text/css",
    "page.css": "text/css",
    "uplot.min.css": "text/css",
    "uplot.min.js": "text/javascript",
    "chart.js": "text/javascript",
    "candles.js": "text/javascript",
    "live.js": "text/javascript",
    "views.js": "text/javascript",
    "markets.js": "text/javascript",
}
"""All that is served besides the page itself and its answers."""
LARGEST = 4_096
"""Bytes of a command."""
NO_COMMAND = "wanted a command's name and argument as JSON"
CANDLES = 1_500
"""Shown where nobody says how many."""
LATER = {"Retry-After": "1"}
"""Said with a refusal to look at a password or token now."""

LOOKING = Keys()


@dataclass(frozen=True, slots=True)
class PageTerms:
    """Where the page is served and what it shows."""

    books: Watched
    host: str = "127.0.0.1"
    port: int = 8080
    keys: Keys = LOOKING
    pause: float = 1.0
    """Seconds between two looks at the database."""
    clock: Callable[[], float] = time.monotonic
    """Seconds, by which wrong passwords are slowed down."""


@dataclass(slots=True)
class _Watch:
    """What all viewers see, and who they are."""

    seen: Look | None = None
    viewers: set[asyncio.Queue[bytes]] = field(default_factory=set)
    looks: asyncio.Lock = field(default_factory=asyncio.Lock)


Asking = Callable[[PageTerms, web.Request], dict[str, Any]]
"""What is asked under /api."""


@contextmanager
def serve(terms: PageTerms) -> Iterator[str]:
    """Serve the page from a thread until the block ends; yield its address.

    Raises UsageError when the port cannot be listened on.
    """
    listener = listen(terms.host, terms.port, UsageError, "choose another with --port")
    name = f"[{terms.host}]" if ":" in terms.host else terms.host
    with serving(application(terms), listener, "page", HEADERS):
        yield f"http://{name}:{listener.getsockname()[1]}"


def application(terms: PageTerms) -> web.Application:
    """Return the application; it watches the account as long as somebody looks."""
    watch, tries = _Watch(), Tries(terms.clock)
    app = web.Application(middlewares=[_guard(terms, tries)], client_max_size=LARGEST)
    app.router.add_get("/", _front)
    app.router.add_get("/files/{name}", _file)
    app.router.add_get("/events", partial(_events, terms, watch))
    app.router.add_post("/command", partial(_command, terms, tries))
    app.router.add_get("/api/{name}", partial(_answer, terms))

    async def watching(_: web.Application) -> Any:
        task = asyncio.create_task(_look_on(terms, watch))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app.cleanup_ctx.append(watching)
    return app


def _guard(terms: PageTerms, tries: Tries) -> Any:
    @web.middleware
    async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
        # A browser comes without a password at first, which is no try.
        tried = bool(terms.keys.password) and "Authorization" in request.headers
        address = request.remote or ""
        if tried and tries.is_closed(address):
            return web.Response(status=429, text=TOO_OFTEN, headers=LATER)
        if why := may_look(host_of(request.headers), request.headers, terms.keys):
            if tried:
                tries.count_wrong(address)
            ask = (
                {"WWW-Authenticate": 'Basic realm="HOT-Crypto", charset="UTF-8"'}
                if terms.keys.password
                else {}
            )
            return web.Response(status=401 if ask else 403, text=why, headers=ask)
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            return web.Response(status=error.status, text=error.reason)
        return response

    return guarded


async def _front(_: web.Request) -> web.Response:
    return web.Response(body=_read("live.html"), content_type="text/html", charset="utf-8")


async def _file(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in FILES:
        raise web.HTTPNotFound
    return web.Response(body=_read(name), content_type=FILES[name], charset="utf-8")


def _read(name: str) -> bytes:
    return next(folder / name for folder in FOLDERS if (folder / name).exists()).read_bytes()


async def _answer(terms: PageTerms, request: web.Request) -> web.Response:
    try:
        question = _QUESTIONS[request.match_info["name"]]
    except KeyError:
        raise web.HTTPNotFound from None
    try:
        # The database is asked in another thread: a slow answer keeps nobody else waiting.
        found = await asyncio.to_thread(_asked, question, terms, request)
    except HotCryptoError as error:
        return _json({"error": str(error)}, status=_status(error, 404))
    return _json(found)


def _asked(question: Asking, terms: PageTerms, request: web.Request) -> dict[str, Any]:
    account.present(terms.books)
    return question(terms, request)


def _status(error: HotCryptoError, other: int) -> int:
    """Return how HTTP says it: asked wrongly, the database cannot be used, or what is said for all else."""
    return 400 if isinstance(error, UsageError) else 503 if isinstance(error, DatabaseError) else other


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(body=_text(document), content_type="application/json", status=status)


def _text(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def _number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise UsageError(f"{name}: wanted a whole number, got {text[:40]!r}")
    return int(text) if text else None


def _needed(request: web.Request, name: str) -> int:
    found = _number(request, name)
    if found is None:
        raise UsageError(f"{name}: wanted a whole number, got nothing")
    return found


def _at_least_one(request: web.Request, name: str, otherwise: int) -> int:
    found = _number(request, name)
    if found == 0:
        raise UsageError(f"{name}: wanted 1 or more, got 0")
    return found or otherwise


def _series(request: web.Request) -> Series:
    given = Series(*(request.query.get(name, "") for name in Series._fields))
    check_written(given.symbol)
    timeframe_ms(given.timeframe)
    return given


def _asked_candles(terms: PageTerms, request: web.Request) -> dict[str, Any]:
    count = _number(request, "count")
    regimes = request.query.get("regimes") == "yes"
    wanted = CANDLES if count is None else count
    return market.candles(terms.books.engine, _series(request), wanted, regimes=regimes)


def _asked_trades(terms: PageTerms, request: web.Request) -> dict[str, Any]:
    most = min(_at_least_one(request, "most", account.ROWS), 1_000)
    return account.trades(terms.books, _number(request, "before"), most)


_QUESTIONS: dict[str, Asking] = {
    "look": lambda terms, _: {**look(terms.books).document, "commands": _commands(terms)},
    "equity": lambda terms, _: account.equity(terms.books),
    "decisions": lambda terms, asked: account.decisions(
        terms.books, _number(asked, "before"), refused=asked.query.get("refused") == "yes"
    ),
    "trades": _asked_trades,
    "strategies": lambda terms, _: account.strategies(terms.books),
    "journal": lambda terms, asked: account.journal(terms.books, _number(asked, "before")),
    "health": lambda terms, _: account.health(terms.books),
    "outcome": lambda terms, asked: account.outcome(terms.books, _needed(asked, "id")),
    "series": lambda terms, _: market.series(terms.books.engine),
    "candles": _asked_candles,
    "runs": lambda terms, _: market.saved(terms.books.engine),
}


def _commands(terms: PageTerms) -> list[str]:
    return list(account.given_here()) if terms.keys.token else []


async def _command(terms: PageTerms, tries: Tries, request: web.Request) -> web.Response:
    address = request.remote or ""
    if tries.is_closed(address):
        return web.json_response({"refused": TOO_OFTEN}, status=429, headers=LATER)
    if why := may_command(host_of(request.headers), request.headers, terms.keys):
        if why == NOT_OURS:
            tries.count_wrong(address)
        return _json({"refused": why}, status=403)
    try:
        name, argument = await _told(request)
        found = await asyncio.to_thread(account.give, terms.books, name, argument)
    except HotCryptoError as error:
        return _json({"refused": str(error)}, status=_status(error, 409))
    return _json(found, status=409 if "refused" in found else 200)


async def _told(request: web.Request) -> tuple[str, str]:
    """Return a command's name and argument. Raises UsageError."""
    try:
        document = await request.json()
    except (ValueError, LookupError, RecursionError, BadHttpMessage, web.RequestPayloadError):
        # No JSON, text in no known encoding, lists in lists without end, or not packed as it says it is.
        raise UsageError(NO_COMMAND) from None
    match document:
        case {"name": str(name), "argument": str(argument)}:
            return name, argument
        case {"name": str(name), **rest} if "argument" not in rest:
            return name, ""
    raise UsageError(NO_COMMAND)


async def _events(terms: PageTerms, watch: _Watch, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=100)
    async with watch.looks:
        # Where others look on already, a new one sees what they see, and gets the same changes from there.
        if watch.seen is None or not watch.viewers:
            try:
                watch.seen = await _seen(terms, watch)
            except HotCryptoError as error:
                # The stream ends with it: the browser asks anew.
                await response.write(event("trouble", {"why": str(error)}))
                return response
        whole = {**watch.seen.document, "commands": _commands(terms)}
        watch.viewers.add(queue)
    try:
        await response.write(event("whole", whole))
        while queue in watch.viewers or not queue.empty():
            await response.write(await queue.get())
    except ConnectionResetError:
        # Whoever looked on is gone, which is found when there is something to tell.
        return response
    finally:
        watch.viewers.discard(queue)
    return response


async def _look_on(terms: PageTerms, watch: _Watch) -> None:
    """Look again and again while somebody is there, and send what has changed."""
    while True:
        await asyncio.sleep(terms.pause)
        if not watch.viewers:
            continue
        async with watch.looks:
            _send(watch, await _news(terms, watch))


async def _news(terms: PageTerms, watch: _Watch) -> bytes:
    before = watch.seen
    try:
        watch.seen = await _seen(terms, watch)
    except HotCryptoError as error:
        return event("trouble", {"why": str(error)})
    change = None if before is None else changes(before.document, watch.seen.document)
    # A word now and then shows that the line is open, and finds viewers who are gone.
    return event("change", change) if change else b": still here\n\n"


async def _seen(terms: PageTerms, watch: _Watch) -> Look:
    return await asyncio.to_thread(look, terms.books, watch.seen)


def _send(watch: _Watch, event: bytes) -> None:
    for queue in list(watch.viewers):
        try:
            queue.put_nowait(event)
        except asyncio.QueueFull:
            # Who did not read for a minute and more gets no more: the browser asks anew, and for all of it.
            watch.viewers.discard(queue)


def event(name: str, document: Any) -> bytes:
    """Return one message of the stream."""
    return b"event: " + name.encode() + b"\ndata: " + _text(document) + b"\n\n"
