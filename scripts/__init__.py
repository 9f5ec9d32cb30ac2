"""The command-line programs. Each parses, loads the settings, builds, runs and prints.

This file alone is read by any Python, however old, so that it can say which Pythons will do.
"""

import sys

if sys.platform == "win32":
    sys.stderr.write(
        "error: HOT-Crypto runs on Linux and macOS, not on Windows itself: "
        "install WSL (wsl --install) and work inside it\n"
    )
    raise SystemExit(2)
if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    sys.stderr.write(
        "error: HOT-Crypto needs Python 3.11, 3.12, 3.13 or 3.14, this is {}.{}; install one "
        "(Debian, Ubuntu: apt install python3.12 python3.12-venv; macOS: brew install python@3.12) "
        "or name one: make demo PYTHON=/path/to/python3.12\n".format(*sys.version_info)
    )
    raise SystemExit(2)
