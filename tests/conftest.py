"""What holds for all tests: property tests are repeatable, not timed; a kernel is compiled once for all."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

if "NUMBA_CACHE_DIR" not in os.environ:
    # The test processes share it, and so it is put to the test by everything that changes the fill model.
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="hot-crypto-kernels-")
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)
