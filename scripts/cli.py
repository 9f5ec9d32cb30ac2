"""What all scripts share: exit codes, one line per error, progress on a terminal only."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from core.errors import HotCryptoError

ROOT = Path(__file__).resolve().parents[1]
INTERRUPTED = 130


def run(main: Callable[[], int | None]) -> None:
    """Run a script's main; turn errors into one line on stderr and the documented exit code."""
    try:
        code = main() or 0
        sys.stdout.flush()
    except HotCryptoError as error:
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("interrupted: what was finished is saved", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has enough; closing stdout again would raise once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def parser(description: str, examples: str) -> argparse.ArgumentParser:
    """Return an argument parser that shows examples below its options."""
    return argparse.ArgumentParser(
        description=description,
        epilog="examples:\n" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
