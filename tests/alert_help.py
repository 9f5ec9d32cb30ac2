"""Messages, a clock that is set, and local servers that do what a test says, for the tests of alerts."""

from __future__ import annotations

import base64
import json
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.alerts.lane import Letter, NotSentError
from core.alerts.levels import Message, message
from tests.exchange_help import NOON

TOKEN = "123456:CANARY-of-a-bot-token-abcdefghij"


def warning(text: str = "near", ref: str = "", time: int = NOON) -> Message:
    return message("near_stop", text, time, ref)


class Ticking:
    """A clock in seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Noted:
    """A channel that keeps what it is sent, or fails as it is told to."""

    def __init__(self, *fails: NotSentError) -> None:
        self.sent, self.fails = list[list[Letter]](), list[Exception](fails)
        self.where = "there"

    def reach(self) -> None:
        if self.fails:
            raise self.fails.pop(0)

    def send(self, letters: Sequence[Letter]) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.sent.append(list(letters))

    @property
    def texts(self) -> list[str]:
        return [one.message.text for letters in self.sent for one in letters]


Answering = Callable[[str, Any], tuple[int, Any]]
"""(path, document) -> status and document; raises to hang up."""


class HttpServer:
    """What was asked of a local HTTP server, and what it answers."""

    def __init__(self, answer: Answering) -> None:
        self.answer, self.asked, self.url = answer, list[tuple[str, Any]](), ""
        self.methods = list[str]()
        self.headers: dict[str, str] = {}
        self.released = threading.Event()


@contextmanager
def http_server(answer: Answering = lambda *_: (200, {"ok": True, "result": []})) -> Iterator[HttpServer]:
    """Serve on loopback until the block ends; `released` is set then, for answers that wait for it."""
    state = HttpServer(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_OPTIONS(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            state.methods.append(self.command)
            state.asked.append((self.path, json.loads(body) if body else None))
            try:
                status, document = state.answer(*state.asked[-1])
            except ConnectionError:
                self.close_connection = True
                return
            text = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that gave up is what some tests are about."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield state
        finally:
            state.released.set()
            server.shutdown()
            thread.join()


@contextmanager
def dripping(begin: bytes, drop: bytes) -> Iterator[tuple[int, threading.Event]]:
    """Serve one client that never gets a whole answer; yield the port, and what is set once it is gone."""
    gone = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                self.request.sendall(begin)
                # Until the block ends, should the client not leave.
                while not gone.wait(0.02):
                    self.request.sendall(drop)
            except OSError:
                gone.set()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1], gone
        finally:
            gone.set()
            server.shutdown()
            thread.join()


class MailServer:
    """Mails that a local SMTP server took."""

    def __init__(self) -> None:
        self.mails, self.words, self.port = list[str](), list[str](), 0
        self.replies: dict[str, str] = {}
        """By the word of a client, what is answered instead of what is usual."""
        self.released = threading.Event()


class MailHandler(socketserver.StreamRequestHandler):
    """One client of the mail server: it is answered as the server's state says."""

    server: MailSocket

    def say(self, text: str) -> None:
        """Send a line."""
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self) -> None:
        """Answer each line until the client leaves."""
        state = self.server.state
        if "CONNECT" in state.replies:
            if state.replies["CONNECT"] == "hang":
                state.released.wait()
                return
            self.say(state.replies["CONNECT"])
            return
        self.say("220 local")
        usual = {
            "EHLO": "250-local\r\n250 AUTH PLAIN",
            "AUTH": "235 in",
            "DATA": "354 go",
            "QUIT": "221 bye",
        }
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            state.words.append(line)
            reply = state.replies.get(word, usual.get(word, "250 ok"))
            self.say(reply)
            if word == "DATA" and reply.startswith("354"):
                lines = []
                while (text := self.rfile.readline().decode()) != ".\r\n":
                    lines.append(text)
                state.mails.append("".join(lines))
                self.say(state.replies.get(".", "250 taken"))
            if word == "QUIT":
                return


class MailSocket(socketserver.ThreadingTCPServer):
    """Where mail clients call."""

    daemon_threads = True
    state: MailServer

    def handle_error(self, *_: object) -> None:
        """A client that gave up is what some tests are about."""


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Serve SMTP on loopback until the block ends."""
    state = MailServer()
    with MailSocket(("127.0.0.1", 0), MailHandler) as server:
        server.state = state
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        state.port = server.server_address[1]
        try:
            yield state
        finally:
            state.released.set()
            server.shutdown()
            thread.join()


def login(user: str, password: str) -> str:
    """Return the word with which a client says user and password."""
    return "AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode()
