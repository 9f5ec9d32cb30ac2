# The user's commands are `make demo` and `make test`; each makes what it needs and no more.
BIN := .venv/bin
RUN := .venv/run.stamp
DEV := .venv/dev.stamp
PARQUET := .venv/parquet.stamp
BROWSER := .venv/browser.stamp
DASHBOARD := .venv/dashboard.stamp
CLUSTER := .venv/cluster.stamp
ifeq ($(OS),Windows_NT)
$(error HOT-Crypto runs on Linux and macOS; on Windows install WSL (wsl --install) and work inside it)
endif
# The first that is a Python HOT-Crypto runs on, or the last, which then says what is wrong with it.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$name -c 'import scripts' 2>/dev/null && break; done; echo $$name)
# uv of a fixed version, fetched by its hash, installs exactly what a lock file lists: it is many times faster
# than pip, and the same on any day and with any pip. It is fetched again when it is needed again.
define INSTALL
	@$(@D)/bin/python -m venv $(@D)/fetch
	@$(@D)/fetch/bin/python -m pip install -q --no-deps --require-hashes -r requirements-setup.lock
	@$(@D)/fetch/bin/uv pip install -q --python $(@D)/bin/python --no-deps --require-hashes --only-binary :all: -r $<
	@rm -rf $(@D)/fetch
	@find $(@D)/lib '(' -type d -name tests -o -name _ta_lib.c ')' -prune -exec rm -rf {} +
endef
# Where pip was told of a mirror by this, uv asks there too.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# A script keeps the compiled form of what it imports, or the next would start two seconds later.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo demo-live test test-programs test-browser test-cluster test-dashboard test-smoke test-critical test-statistics lint format docs bench fuzz fuzz-long soak soak-exchange bench-peers parquet dashboard cluster lock clean
help:
	@sed -n 's/^## //p' Makefile

## make demo    set up, load candles, compare four strategies, write a report
demo: $(RUN)
	@$(BIN)/python scripts/demo.py

## make demo-live  local exchange, paper loop and live page together, until Ctrl-C
demo-live: $(RUN)
	@$(BIN)/python scripts/demo_live.py || test $$? = 130  # Ctrl-C is how it ends

# Pages have a target of their own: what drives the browser keeps a loop of its own in the process.
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal --ignore tests/browser

# Where money is counted every line and every branch is run by a test.
WHOLE := core/fills.py,core/sizing.py,core/risk_manager.py,core/portfolio.py,core/execution.py,core/intents.py
WHOLE := $(WHOLE),core/risk/*,core/account/*,core/order_path/*

## make test    set up and run the test suite, with coverage
test: $(DEV)
	@$(PYTEST) -m "not programs" --cov --cov-report=term:skip-covered --durations=10 --durations-min=2
	@$(BIN)/coverage report --fail-under=100 --skip-covered --show-missing --include='$(WHOLE)'

## make test-programs  whole programs that are started, stopped and killed (a minute)
test-programs: $(DEV)
	@$(PYTEST) -m programs

## make test-browser  the pages in a real browser, Chromium (seconds)
test-browser: $(BROWSER)
	@$(BIN)/python -m pytest tests/browser

## make test-cluster  searches by workers of a Dask scheduler on this machine
test-cluster: $(DEV) $(CLUSTER)
	@$(BIN)/python -m pytest tests/integration/test_cluster.py

## make test-dashboard  the page to browse in, as Streamlit draws it
test-dashboard: $(DEV) $(DASHBOARD)
	@$(BIN)/python -m pytest tests/integration/test_dashboard_streamlit.py

## make test-smoke  a few tests of each part (seconds)
test-smoke: $(DEV)
	@$(PYTEST) tests/unit/test_frames.py tests/unit/test_rule.py tests/unit/test_sizing.py tests/unit/test_settings.py \
		tests/unit/test_db_candles.py tests/unit/test_risk_manager.py tests/unit/test_order_path.py tests/unit/test_engine.py \
		tests/unit/test_exchange_pages.py tests/unit/test_sim_matching.py tests/unit/test_strategies_trades.py

## make test-critical  orders, risk, fills and accounts
test-critical: $(DEV)
	@$(PYTEST) $(wildcard $(addprefix tests/*/test_,order*.py risk*.py execution.py portfolio.py account*.py sizing.py \
		engine.py *stops.py correlation.py paper*.py exchange_desk.py exchange_order*.py costs.py sim_matching.py \
		sim_signed.py loop.py replay.py adapter.py priced.py memory.py exits.py reversals.py pauses.py breakers.py \
		protection*.py recovery.py claims.py preflight.py real_money.py guard.py))

## make test-statistics  what make test tries on a sample, on all its markets, schedules and kills (minutes)
test-statistics: $(DEV)
	@WHOLE_TESTS=1 $(PYTEST) -m statistics

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

.venv-peers/made: requirements-peers.lock | $(BIN)/python
	@$(BIN)/python -m venv --without-pip .venv-peers
	@echo "installing the peers"
	$(INSTALL)
	@touch $@

## make fuzz    odd values of all options, ten thousand lives of the order path at each venue, 1,000 processes killed
fuzz: $(DEV)
	@$(BIN)/python -m tests.fuzz_commands
	@$(BIN)/python -m tests.fuzz_order_path --schedules 10000 --kills 200

## make fuzz-long  a million lives of the order path (hours); stop it with Ctrl-C, the next one goes on
fuzz-long: $(DEV)
	@$(BIN)/python -m tests.fuzz_long

## make soak    a simulated month of minutes, every strategy on four symbols, through the loop (minutes)
soak: $(DEV)
	@$(BIN)/python -m tests.soak --days 30

## make soak-exchange  a simulated week of minutes at the local exchange of each venue, under faults (45 minutes)
soak-exchange: $(DEV)
	@$(BIN)/python -m tests.soak_exchange --days 7

## make parquet install what reads Parquet and Feather files (165 MB)
parquet: $(PARQUET)

## make dashboard  install Streamlit (240 MB) and start the page to browse candles and saved runs
dashboard: $(DASHBOARD)
	@$(BIN)/python -m streamlit run dashboard_streamlit.py

## make cluster  install what searches on several machines, Dask (25 MB); needed on each of them
cluster: $(CLUSTER)

## make lock    write the lock files from requirements*.txt
COMPILE = $(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url
lock: $(DEV)
	@$(COMPILE) requirements-setup.txt -o requirements-setup.lock
	@grep -v '^-c' requirements.txt | $(COMPILE) --excludes requirements-left-out.txt - -o requirements.lock
	@sed -n 's/ \\$$//; /^[a-z0-9-]*==/p' requirements.lock > constraints.txt
	@$(COMPILE) --excludes requirements-left-out.txt requirements-parquet.txt -o requirements-parquet.lock
	@$(COMPILE) --excludes requirements-left-out.txt requirements-dev.txt -o requirements-dev.lock
	@$(COMPILE) --excludes requirements-left-out.txt requirements-browser.txt -o requirements-browser.lock
	@$(COMPILE) --excludes requirements-left-out.txt requirements-dashboard.txt -o requirements-dashboard.lock
	@$(COMPILE) --excludes requirements-left-out.txt requirements-cluster.txt -o requirements-cluster.lock
	@$(COMPILE) requirements-peers.txt -o requirements-peers.lock

## make clean   remove the virtual environment and tool caches (never your data)
clean:
	@rm -rf .venv .venv-peers .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage

$(BIN)/python:
	@python="$(PYTHON)"; \
	command -v "$$python" >/dev/null || { echo "error: $$python is not there; install Python 3.12, or name one: make PYTHON=/path/to/python3.12" >&2; exit 2; }; \
	"$$python" -c 'import scripts' || exit 2; \
	"$$python" -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "error: $$python makes no virtual environments; apt install python3-venv" >&2; exit 2; }; \
	echo "making .venv with $$python"; \
	"$$python" -m venv --without-pip .venv

$(RUN): requirements.lock | $(BIN)/python
	@echo "installing the pinned packages"
	$(INSTALL)
	@touch $@

$(DEV): requirements-dev.lock | $(BIN)/python
	@echo "installing the pinned packages, test and lint tools"
	$(INSTALL)
	@touch $(RUN) $(PARQUET) $@

$(BROWSER): requirements-browser.lock | $(BIN)/python
	@echo "installing what drives a browser"
	$(INSTALL)
	@touch $(RUN) $(PARQUET) $(DEV) $@

$(PARQUET): requirements-parquet.lock | $(RUN)
	$(INSTALL)
	@touch $@

$(DASHBOARD): requirements-dashboard.lock | $(RUN)
	@echo "installing what browses"
	$(INSTALL)
	@touch $(PARQUET) $@

$(CLUSTER): requirements-cluster.lock | $(RUN)
	@echo "installing what works on several machines"
	$(INSTALL)
	@touch $@
