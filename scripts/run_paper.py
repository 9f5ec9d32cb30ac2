"""Another name for run_live.py, which trades on paper."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from scripts.run_live import main

if __name__ == "__main__":
    cli.run(main)
