"""TA-Lib for arrays alone: with pandas at hand it would import that, to take its columns too.

Who imports TA-Lib after this gets it as it always is.
"""

from __future__ import annotations

import sys

__all__ = ["talib"]

if "pandas" in sys.modules or "talib" in sys.modules:
    import talib
else:
    # What Python takes for a package that is not installed.
    sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        import talib
    finally:
        del sys.modules["pandas"], sys.modules["talib"]
