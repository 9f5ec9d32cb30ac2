"""Browse stored candles and saved runs in a browser, on this machine: `make dashboard` starts it.

streamlit run dashboard_streamlit.py -- --db-url sqlite:///data/hot_crypto.db
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from core import cli
from core.errors import UsageError


def refuse() -> int:
    """Raise UsageError: the page is drawn by Streamlit, which a bare Python does not start."""
    raise UsageError(
        "Streamlit draws this page: `make dashboard` installs and starts it, or, once it is installed, "
        "`streamlit run dashboard_streamlit.py`"
    )


if __name__ == "__main__":
    if "streamlit" in sys.modules:
        cli.start_sooner()

        import streamlit

        from core.cli import browse_page

        browse_page.show(streamlit, sys.argv[1:])
    else:
        cli.run(refuse)
