# The user's commands are `make demo` and `make test`; each makes what it needs and no more.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
RUN := .venv/run.stamp
DEV := .venv/dev.stamp
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# pip leaves this out where PYTHONDONTWRITEBYTECODE is set, and every script would start two seconds later;
# what does not compile (a package's examples of bad code) does not matter.
PRECOMPILE := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true

.PHONY: help demo test lint format docs bench fuzz soak bench-peers lock clean
help:
	@sed -n 's/^## //p' Makefile

## make demo    set up, load candles, compare four strategies, draw a chart
demo: $(RUN)
	@$(BIN)/python scripts/demo.py

## make test    set up and run the test suite
test: $(DEV)
	@$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term:skip-covered

## make lint    formatting, rules, types, import contracts
lint: $(DEV)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

## make format  put the code into the house format
format: $(DEV)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

## make docs    write docs/strategies.md and its charts from the strategies (a minute)
docs: $(DEV)
	@$(BIN)/python scripts/make_docs.py

## make bench   speed, printed as ratios measured in one run
bench: $(DEV)
	@$(BIN)/python -m bench

## make bench-peers  install other engines beside ours (.venv-peers) and measure them in the same run
bench-peers: .venv-peers/made
	@.venv-peers/bin/python -m bench against

.venv-peers/made: requirements-peers.lock
	@$(PYTHON) -m venv .venv-peers
	@echo "installing the peers (about a minute the first time)"
	@.venv-peers/bin/python -m pip install -q --require-hashes -r requirements-peers.lock
	@touch $@

## make fuzz    ten thousand lives of the order path in memory, 600 real processes killed (minutes)
fuzz: $(DEV)
	@$(BIN)/python -m tests.fuzz_order_path --schedules 10000 --kills 200

## make soak    a simulated month of minutes, every strategy on four symbols, through the loop (minutes)
soak: $(DEV)
	@$(BIN)/python -m tests.soak --days 30

## make lock    write the lock files from requirements*.txt
lock: $(DEV)
	@$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 requirements.txt -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 -c requirements.lock requirements-dev.txt -o requirements-dev.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 -c requirements-dev.lock requirements-peers.txt -o requirements-peers.lock

## make clean   remove the virtual environment and tool caches (never your data)
clean:
	@rm -rf .venv .venv-peers .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "HOT-Crypto needs Python 3.11 or newer; found " + sys.version.split()[0] + ". Install it or call make PYTHON=/path/to/python3.11")'
	@echo "making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv
	@touch $@

$(RUN): requirements.lock | .venv/made
	@echo "installing the pinned dependencies (about a minute the first time)"
	@$(BIN)/python -m pip install -q --require-hashes -r requirements.lock
	@$(PRECOMPILE)
	@touch $@

$(DEV): requirements-dev.lock | .venv/made
	@echo "installing the pinned test and lint tools"
	@$(BIN)/python -m pip install -q --require-hashes -r requirements-dev.lock
	@$(PRECOMPILE)
	@touch $(RUN) $@
