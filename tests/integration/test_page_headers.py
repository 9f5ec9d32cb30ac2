"""Every answer of the live page and of /health has the headers that keep a browser safe."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.page import health
from core.page.account import Watched
from core.page.guard import HEADERS
from core.page.health import Board, serve_health
from core.page.server import PageTerms, serve
from tests.page_help import seeded

HEAD = re.compile(r"HTTP/1\.[01] ([0-9]{3}) [^\r]*\r\n(.*?)\r\n\r\n", re.DOTALL)
HERE = b"Host: localhost\r\n"
SHUT = b"Connection: close\r\n\r\n"
WELL = b"GET /metrics HTTP/1.1\r\n" + HERE + b"\r\n"
ASKED = {
    "no HTTP at all": (b"nonsense\r\n\r\n", 400),
    "TLS where there is none": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "a version that is none": (b"GET / HTTP/nine\r\n\r\n", 400),
    "a method with markup": (b"<script>alert(1)</script> / HTTP/1.1\r\n\r\n", 400),
    "a header without a name": (b"GET / HTTP/1.1\r\n: x\r\n\r\n", 400),
    "a header with a zero byte": (b"GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n", 400),
    "a line that is too long": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", 400),
    "a length that is no number": (b"POST / HTTP/1.1\r\n" + HERE + b"Content-Length: many\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "what is expected of it it cannot": (b"GET / HTTP/1.1\r\n" + HERE + b"Expect: tea\r\n" + SHUT, 417),
    "nothing is there": (b"GET /nothing HTTP/1.1\r\n" + HERE + SHUT, 404),
    "a method that is not taken": (b"DELETE /events HTTP/1.1\r\n" + HERE + SHUT, None),
    "another host": (b"GET / HTTP/1.1\r\nHost: evil.example\r\n" + SHUT, 403),
    "no request after a good one": (WELL + b"nonsense\r\n\r\n", 400),
}


@pytest.fixture(scope="module", params=["page", "health"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    if request.param == "health":
        with serve_health(Board("paper", "paper", lambda: 0.0), 0) as url:
            yield port_of(url)
        return
    engine = seeded(tmp_path_factory.mktemp("page"))
    with serve(PageTerms(Watched(engine, "paper"), port=0)) as url:
        yield port_of(url)
    engine.dispose()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def asked(port: int, request: bytes) -> list[tuple[int, dict[str, str]]]:
    """Return the status and headers of each answer to what is sent, until the other side ends it."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(request)
        text = b"".join(iter(partial(line.recv, 65_536), b"")).decode()
    return [
        (int(status), dict(line.split(": ", 1) for line in head.split("\r\n")))
        for status, head in HEAD.findall(text)
    ]


@pytest.mark.parametrize("case", ASKED)
def test_every_answer_has_the_headers_of_the_page_whoever_makes_it(
    port: int, case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    request, status = ASKED[case]
    answers = asked(port, request)
    assert answers
    for _, headers in answers:
        assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert status in (answers[-1][0], None)
    assert capfd.readouterr() == ("", "")


def test_a_fault_of_this_program_is_answered_with_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(health, "metrics_text", fails)
    with serve_health(Board("paper", "paper", lambda: 0.0), 0) as url:
        [(status, headers)] = asked(port_of(url), WELL)
    assert (status, {name: headers.get(name) for name in HEADERS}) == (500, HEADERS)


def test_the_stream_of_changes_has_them(tmp_path: Path) -> None:
    engine = seeded(tmp_path)
    with (
        serve(PageTerms(Watched(engine, "paper"), port=0)) as url,
        socket.create_connection(("127.0.0.1", port_of(url)), timeout=10) as line,
    ):
        line.sendall(b"GET /events HTTP/1.1\r\n" + HERE + b"\r\n")
        with line.makefile("r", newline="\r\n") as answer:
            lines = [one.rstrip("\r\n") for one in iter(answer.readline, "\r\n")]
    engine.dispose()
    headers = dict(one.split(": ", 1) for one in lines[1:])
    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert headers["Content-Type"] == "text/event-stream"
