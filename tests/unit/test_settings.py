"""Settings: all problems at once, each with its place, its key, what came and what is allowed."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.backtest.plan import check_params
from core.domain import Costs
from core.errors import SettingsError, UsageError
from core.settings import OWN_FOLDER, SECRETS, Settings, environment, load_settings, with_overrides
from core.settings.models import env_names
from tests.settings_help import MARKETS, SETTINGS, STRATEGIES, problems, write_config

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_config(tmp_path)


def problem_of(config: Path, file: str, old: str, new: str) -> str:
    """Return the one problem that replacing `old` by `new` in a file makes."""
    path = config / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    (line,) = problems(config)
    return line


def test_the_shipped_configuration_loads_and_is_the_specification(tmp_path: Path) -> None:
    settings = load_settings(ROOT / "config", {})
    assert (settings.exchange.name, settings.exchange.sandbox, settings.exchange.base_url) == (
        "binanceus",
        False,
        None,
    )
    assert settings.db.url is None
    assert settings.risk.default_risk_per_trade == 0.01
    assert settings.backtest.costs == Costs(commission=0.001, spread=0.0)
    # The specification's four; the others are there to be named.
    assert [name for name, strategy in settings.strategies.items() if strategy.enabled] == [
        "trend_ema",
        "mean_reversion_bb",
        "squeeze_breakout",
        "grid_ladder",
    ]
    for strategy in settings.strategies.values():
        assert set(strategy.symbols) == {"BTC/USDT", "ETH/USDT"}
        assert strategy.timeframe == "4h" or not strategy.enabled
    assert {market.symbol for market in settings.markets} == {"BTC/USDT", "ETH/USDT"}


@pytest.mark.unmeasured
def test_the_shipped_settings_for_scalping_stand_in_for_the_strategies() -> None:
    file = ROOT / "config" / "strategies_1m.yaml"
    settings = load_settings(ROOT / "config", {}, check_params, file)
    assert len(settings.strategies) > 5
    for strategy in settings.strategies.values():
        assert strategy.enabled
        assert strategy.timeframe == "1m"
        assert strategy.params["risk_per_trade"] == 0.005
    assert settings.risk == load_settings(ROOT / "config", {}).risk


def test_a_strategies_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"scalp\.yaml"):
        load_settings(ROOT / "config", {}, None, tmp_path / "scalp.yaml")


@pytest.mark.unmeasured
def test_the_shipped_env_example_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*env_names(), "EXCHANGE_API_KEY", "EXCHANGE_API_SECRET"]:
        monkeypatch.delenv(name, raising=False)
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    settings = load_settings(ROOT / "config", environment(tmp_path))
    assert settings.db.url == "sqlite:///data/hot_crypto.db"
    assert settings.exchange.base_url is None


def test_every_key_of_the_example_is_a_variable_that_works() -> None:
    text = (ROOT / ".env.example").read_text()
    names = {line.lstrip("# ").split("=")[0] for line in text.splitlines() if "=" in line}
    assert names <= {*env_names(), *SECRETS, OWN_FOLDER}


def test_whole_numbers_stay_whole_in_params_and_become_floats_in_sections(config: Path) -> None:
    settings = load_settings(config, {})
    assert settings.strategies["trend_ema"].params == {"ema_fast": 20, "atr_stop_mult": 1.5}
    assert type(settings.strategies["trend_ema"].params["ema_fast"]) is int
    assert type(settings.backtest.default_cash) is float


def test_settings_are_frozen_and_travel_between_processes(config: Path) -> None:
    settings = load_settings(config, {})
    with pytest.raises(ValidationError):
        settings.risk.max_daily_loss_pct = 50
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_percent_in_the_file_is_a_rate_in_the_costs(config: Path) -> None:
    settings = with_overrides(load_settings(config, {}), {"backtest.spread_pct": 0.05})
    assert settings.backtest.costs == Costs(commission=0.001, spread=0.0005)


def test_optional_parts_may_be_left_out(config: Path) -> None:
    (config / "strategies.yaml").write_text(STRATEGIES.replace("  params:", "  # params:"))
    settings = load_settings(config, {})
    assert settings.db.url is None
    assert settings.backtest.spread_pct == 0.0
    assert settings.strategies["trend_ema"].params == {}


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "0.01",
            "1",
            "settings.yaml:5: risk.default_risk_per_trade: 1 is not allowed: wanted above 0 and at",
        ),
        ("0.01", "0.0501", "settings.yaml:5: risk.default_risk_per_trade: 0.0501 is not allowed"),
        ("0.01", "0", "settings.yaml:5: risk.default_risk_per_trade: 0 is not allowed"),
        ("0.01", ".nan", "settings.yaml:5: risk.default_risk_per_trade: '.nan' is not allowed"),
        ("0.01", "1e400", "settings.yaml:5: risk.default_risk_per_trade: inf is not allowed"),
        ("0.01", "'0.01'", "settings.yaml:5: risk.default_risk_per_trade: '0.01' is not allowed"),
        ("0.01", "true", "settings.yaml:5: risk.default_risk_per_trade: true is not allowed"),
        ("0.01", "", "settings.yaml:5: risk.default_risk_per_trade: nothing is not allowed"),
        ("0.01", "[0.01]", "settings.yaml:5: risk.default_risk_per_trade: a list is not allowed"),
        (
            "pct: 3",
            "pct: 0.03",
            "settings.yaml:6: risk.max_daily_loss_pct: 0.03 is not allowed: wanted 0.1 to",
        ),
        ("pct: 3", "pct: 010", "settings.yaml:6: risk.max_daily_loss_pct: '010' is not allowed"),
        ("10000", "0", "settings.yaml:8: backtest.default_cash: 0 is not allowed: wanted above 0 to 1e12"),
        ("10000", "10_000", "settings.yaml:8: backtest.default_cash: '10_000' is not allowed"),
        (
            "pct: 0.1",
            "pct: -0.1",
            "settings.yaml:9: backtest.commission_pct: -0.1 is not allowed: wanted 0 to 5",
        ),
        ("false", "NO", "settings.yaml:3: exchange.sandbox: 'NO' is not allowed: wanted true or false"),
        ("false", "0", "settings.yaml:3: exchange.sandbox: 0 is not allowed: wanted true or false"),
        ("false", "'false'", "settings.yaml:3: exchange.sandbox: 'false' is not allowed"),
        (
            "binanceus",
            "Binance US",
            "settings.yaml:2: exchange.name: 'Binance US' is not allowed: wanted a ccxt id",
        ),
        ("binanceus", "5", "settings.yaml:2: exchange.name: 5 is not allowed: wanted a ccxt id"),
        ("pct: 3", "pct: 3\n  stop: 1", "settings.yaml:7: risk: unknown key 'stop': known: "),
        ("daily_loss_pct", "dayly_loss_pct", "settings.yaml"),
        ("risk:", "rsik:", "settings.yaml"),
        ("risk:", "risk: 5\nx:", "settings.yaml"),
    ],
)
def test_a_wrong_value_is_told_with_its_place_and_what_is_allowed(
    config: Path, old: str, new: str, message: str
) -> None:
    path = config / "settings.yaml"
    path.write_text(SETTINGS.replace(old, new, 1))
    assert any(line.startswith(f"config/{message}") for line in problems(config))


def test_a_misspelt_key_is_two_problems_the_unknown_and_the_missing_one(config: Path) -> None:
    (config / "settings.yaml").write_text(SETTINGS.replace("daily", "dayly"))
    missing, unknown = problems(config)
    assert missing == (
        "config/settings.yaml:4: risk.max_daily_loss_pct is missing: wanted 0.1 to 50 (percent: 3 is 3 %)"
    )
    assert unknown.startswith(
        "config/settings.yaml:6: risk: unknown key 'max_dayly_loss_pct': did you mean max_daily_loss_pct? "
        "known: max_daily_loss_pct, "
    )


def test_an_unknown_section_is_told_with_the_nearest_one(config: Path) -> None:
    line = problem_of(config, "settings.yaml", "backtest:", "db:\nbaktest: {}\nbacktest:")
    assert line == (
        "config/settings.yaml:8: unknown section 'baktest': did you mean backtest? "
        "known: alerts, backtest, db, exchange, execution, live, paper, risk"
    )


def test_a_section_of_the_wrong_kind_is_told_with_its_keys(config: Path) -> None:
    line = problem_of(config, "settings.yaml", "backtest:", "db: [1]\nbacktest:")
    assert line == "config/settings.yaml:7: db: a list is not allowed: wanted the keys url"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "settings.yaml",
            "- 1",
            "config/settings.yaml: a list is not allowed at the top: wanted the sections",
        ),
        (
            "strategies.yaml",
            "[]",
            "config/strategies.yaml: a list is not allowed at the top: wanted strategies",
        ),
        (
            "markets.yaml",
            "a: 1",
            "config/markets.yaml: a mapping is not allowed at the top: wanted a list of",
        ),
        ("markets.yaml", "[]", "config/markets.yaml: a list is not allowed at the top: wanted a list of"),
        (
            "markets.yaml",
            "- 5",
            "config/markets.yaml:1: 0: 5 is not allowed: wanted the keys symbol, timeframe",
        ),
        ("markets.yaml", MARKETS * 2, "config/markets.yaml:2: BTC/USDT 4h is listed twice: keep one"),
        ("markets.yaml", "", "config/markets.yaml: is empty"),
        ("settings.yaml", "a: [", "config/settings.yaml:1:5: cannot be read"),
        ("strategies.yaml", "a: 5", "config/strategies.yaml:1: a: 5 is not allowed: wanted the keys enabled"),
    ],
)
def test_a_file_of_the_wrong_shape_is_one_problem(
    config: Path, file: str, content: str, message: str
) -> None:
    (config / file).write_text(content)
    (line,) = problems(config)
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("true", "on", "strategies.yaml:2: trend_ema.enabled: 'on' is not allowed: wanted true or false"),
        (
            "BTC/USDT",
            "BTC/USDT:USDT",
            "strategies.yaml:3: trend_ema.symbols.0: 'BTC/USDT:USDT' is not allowed: wanted a spot symbol",
        ),
        (
            "BTC/USDT",
            "BTCUSDT",
            "strategies.yaml:3: trend_ema.symbols.0: 'BTCUSDT' is not allowed: wanted a symbol",
        ),
        (
            "BTC/USDT",
            "BTC/USDT, btc-usdt",
            "strategies.yaml:3: trend_ema.symbols: a list is not allowed: wanted each",
        ),
        (
            "[BTC/USDT]",
            "[]",
            "strategies.yaml:3: trend_ema.symbols: a list is not allowed: wanted a list of sym",
        ),
        (
            "[BTC/USDT]",
            "BTC/USDT",
            "strategies.yaml:3: trend_ema.symbols: 'BTC/USDT' is not allowed: wanted a list",
        ),
        ("4h", "5h", "strategies.yaml:4: trend_ema.timeframe: '5h' is not allowed: wanted one of 1m, 3m"),
        ("4h", "1M", "strategies.yaml:4: trend_ema.timeframe: '1M' is not allowed: wanted one of 1m, 3m"),
        (
            "20",
            "true",
            "strategies.yaml:5: trend_ema.params.ema_fast: true is not allowed: wanted a finite number",
        ),
        (
            "20",
            "abc",
            "strategies.yaml:5: trend_ema.params.ema_fast: 'abc' is not allowed: wanted a finite number",
        ),
        (
            "20",
            "1e999",
            "strategies.yaml:5: trend_ema.params.ema_fast: inf is not allowed: wanted a finite number",
        ),
        (
            "{ema_fast: 20, atr_stop_mult: 1.5}",
            "7",
            "strategies.yaml:5: trend_ema.params: 7 is not allowed: wanted",
        ),
        ("params", "parms", "strategies.yaml:5: trend_ema: unknown key 'parms': did you mean params?"),
    ],
)
def test_a_wrong_strategy_entry_is_told(config: Path, old: str, new: str, message: str) -> None:
    assert problem_of(config, "strategies.yaml", old, new).startswith(f"config/{message}")


def test_a_missing_directory_is_one_problem_per_file(tmp_path: Path) -> None:
    lines = problems(tmp_path / "nowhere")
    assert len(lines) == 3
    assert all("there is no such file" in line for line in lines)


def test_all_problems_of_all_files_and_variables_are_listed_together(config: Path) -> None:
    (config / "settings.yaml").write_text(SETTINGS.replace("0.01", "7").replace("false", "no") + "  x: 1\n")
    (config / "strategies.yaml").write_text(STRATEGIES + "  enabled: false\n  symbols: []\n")
    (config / "markets.yaml").write_text("- {symbol: x, timeframe: y}\n")
    env = {"HOT_CRYPTO_DB_ULR": "x", "HOT_CRYPTO_BACKTEST_DEFAULT_CASH": "lots"}
    lines = problems(config, env, check_params=lambda name, params: [f"{len(params)} bad"])
    starts = [
        "unknown environment variable 'HOT_CRYPTO_DB_ULR': did you mean HOT_CRYPTO_DB_URL?",
        "config/settings.yaml:3: exchange.sandbox:",
        "config/settings.yaml:5: risk.default_risk_per_trade:",
        "environment variable HOT_CRYPTO_BACKTEST_DEFAULT_CASH: backtest.default_cash: 'lots' is not allowed",
        "config/settings.yaml:10: backtest: unknown key 'x'",
        "config/strategies.yaml:6: trend_ema.enabled is given twice, first at config/strategies.yaml:2",
        "config/strategies.yaml:7: trend_ema.symbols is given twice",
        "config/strategies.yaml:5: trend_ema: 2 bad",
        "config/markets.yaml:1: 0.symbol: 'x' is not allowed",
        "config/markets.yaml:1: 0.timeframe: 'y' is not allowed",
    ]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts


def test_the_rules_own_check_is_told_the_strategy_and_its_params(config: Path) -> None:
    seen: list[tuple[str, Mapping[str, object]]] = []

    def check(name: str, params: Mapping[str, object]) -> list[str]:
        seen.append((name, dict(params)))
        return []

    load_settings(config, {}, check)
    assert seen == [("trend_ema", {"ema_fast": 20, "atr_stop_mult": 1.5})]


def test_an_unknown_strategy_raised_by_the_check_is_a_problem_like_others(config: Path) -> None:
    def check(name: str, params: Mapping[str, object]) -> list[str]:
        raise UsageError(f"unknown strategy {name!r}")

    assert problems(config, check_params=check) == [
        "config/strategies.yaml:5: trend_ema: unknown strategy 'trend_ema'"
    ]


@pytest.mark.unmeasured
def test_the_shipped_params_are_what_the_rules_take() -> None:
    from strategies.registry import load_strategy

    found: dict[str, list[str]] = {}

    def checked(name: str, params: Mapping[str, object]) -> list[str]:
        found[name] = load_strategy(name).rule.check_params(params)
        return found[name]

    entries = load_settings(ROOT / "config", {}, checked).strategies
    assert found == {name: [] for name in entries}
    assert len(found) > 3


def test_loading_settings_needs_neither_pandas_nor_the_database() -> None:
    code = (
        "import sys; from pathlib import Path; from core.settings import load_settings;"
        "load_settings(Path('config'), {}); print([m for m in"
        " ('pandas', 'sqlalchemy', 'ccxt', 'backtesting', 'talib', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_settings_made_by_hand_are_checked_too() -> None:
    with pytest.raises(ValidationError):
        Settings(exchange=None, db=None, risk=None, backtest=None, strategies={}, markets=())  # type: ignore[arg-type]


def test_symbols_and_timeframes_are_spelled_as_everywhere(config: Path) -> None:
    text = STRATEGIES.replace("[BTC/USDT]", "[xbt/usd, eth_usdt]").replace("4h", "1D")
    (config / "strategies.yaml").write_text(text)
    entry = load_settings(config, {}).strategies["trend_ema"]
    assert (entry.symbols, entry.timeframe) == (("BTC/USD", "ETH/USDT"), "1d")
