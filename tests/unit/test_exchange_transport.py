"""The socket's deadline and the forms of Retry-After; the rest of the transport is tested over HTTP."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator

import pytest

from core.exchange.transport import DeadlineStream, _is_document, retry_after
from tests.exchange_help import NOON


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_bytes_pass_while_there_is_time(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"ab")
    with DeadlineStream(ours, 10.0, lambda: 0.0) as stream:
        assert stream.readable()
        assert io.BufferedReader(stream).read(2) == b"ab"


def test_a_drip_cannot_stretch_the_deadline(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    moments = iter([0.0, 4.0, 8.0, 10.0])
    with DeadlineStream(ours, 10.0, lambda: next(moments)) as stream:
        for _ in range(2):
            theirs.sendall(b"x")
            assert stream.readinto(bytearray(1)) == 1
        theirs.sendall(b"x")
        with pytest.raises(TimeoutError):
            stream.readinto(bytearray(1))


def test_each_read_waits_for_what_is_left(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    moments = iter([0.0, 7.5])
    theirs.sendall(b"x")
    with DeadlineStream(ours, 10.0, lambda: next(moments)) as stream:
        stream.readinto(bytearray(1))
        assert ours.gettimeout() == 2.5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Mon, 01 Jan 2024 12:00:30 GMT", 30.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(text, NOON) == seconds


def test_lists_in_lists_without_end_are_no_answer() -> None:
    assert _is_document("[[1]]")
    assert not _is_document("[" * 200_000)
