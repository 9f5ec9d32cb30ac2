"""What a person can tell a running loop to do: one list for what is typed, stored and carried out."""

from __future__ import annotations

COMMANDS = (
    "stop",
    "flatten",
    "pause",
    "resume",
    "reset-breaker",
    "reload",
    "set-weight",
    "accept",
    "release",
)
