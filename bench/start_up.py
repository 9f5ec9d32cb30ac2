"""How long every command takes to say what it does."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from bench.harness import Case

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 0.3


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return one case per script, and one for `python -m db.init_db`."""
    scripts = sorted(
        path for path in (ROOT / "scripts").glob("*.py") if "cli.run(" in path.read_text("utf-8")
    )
    commands = {f"--help of {path.name}": [str(path)] for path in scripts if path.name != "cli.py"}
    commands["--help of db.init_db"] = ["-m", "db.init_db"]
    return [Case(name, partial(_help, words), target=SECONDS) for name, words in commands.items()]


def _help(words: list[str]) -> None:
    subprocess.run([sys.executable, *words, "--help"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
