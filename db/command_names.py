"""What a person can tell a running loop to do: one list for what is typed, stored and carried out."""

from __future__ import annotations

from core.errors import UsageError, unknown_name

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
PLAIN = ("stop", "flatten", "pause", "resume")
"""Those that are about nothing but the account: they take no argument."""


def check_command(name: str, argument: str) -> None:
    """Raise UsageError for a command that does not exist, or an argument that it cannot have."""
    if name not in COMMANDS:
        raise UsageError(unknown_name("command", name, COMMANDS))
    if name in PLAIN and argument:
        raise UsageError(f"{name} takes no argument, got {argument[:40]!r}: give it without one")
    if not argument.isprintable():
        raise UsageError(f"the argument of {name}: wanted plain text in one line, got {argument[:40]!r}")
