"""Which code this is: the project's version and a fingerprint of the sources that make the numbers."""

from __future__ import annotations

import hashlib
from pathlib import Path

VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parents[1]


def code_version(root: Path = ROOT) -> str:
    """Return `0.1.0+` and 12 hex digits of the SHA-256 over core/*.py and strategies/*.py.

    Two checkouts with the same sources agree, whether or not they are under version control.
    """
    digest = hashlib.sha256()
    for path in sorted([*root.glob("core/*.py"), *root.glob("strategies/*.py")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"{VERSION}+{digest.hexdigest()[:12]}"
