"""What lies over the files: environment, .env and command line; addresses and secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.errors import SettingsError, unknown_name
from core.risk.percents import LIKE_A_FRACTION
from core.settings import environment, load_settings, notes, with_overrides
from core.settings.models import SECTIONS, env_names
from core.settings.problems import shown_value
from tests.settings_help import SETTINGS, problems, write_config


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_config(tmp_path)


SAMPLES = {
    "exchange.name": "kraken",
    "exchange.sandbox": "true",
    "exchange.partner_wait_seconds": "12.5",
    "exchange.base_url": "http://127.0.0.1:8090",
    "db.url": "sqlite:///other.db",
    "risk.default_risk_per_trade": "2e-2",
    "risk.max_risk_per_trade": "0.02",
    "risk.max_daily_loss_pct": "2",
    "risk.max_weekly_loss_pct": "6",
    "risk.max_monthly_loss_pct": "12",
    "risk.loss_streak_losses": "3",
    "risk.loss_streak_minutes": "720",
    "risk.loss_streak_pause_minutes": "60",
    "risk.loss_streak_each_symbol": "true",
    "risk.max_symbol_loss_pct": "1.5",
    "risk.flash_crash_ranges": "6",
    "risk.flash_crash_apart_pct": "8",
    "risk.flash_crash_pause_minutes": "30",
    "risk.recovery_cut": "0.25",
    "risk.recovery_minutes": "600",
    "risk.max_position_pct": "20",
    "risk.max_correlated_exposure_pct": "50",
    "risk.correlated_above": "0.8",
    "risk.max_drawdown_pct": "12.5",
    "risk.max_exposure_pct": "90",
    "risk.max_symbol_exposure_pct": "50",
    "risk.max_strategy_exposure_pct": "40",
    "risk.max_order": "250.5",
    "risk.max_positions": "3",
    "risk.cash_reserve_pct": "5",
    "risk.cool_down_minutes": "30",
    "risk.max_orders_per_minute": "4",
    "risk.max_orders_per_day": "50",
    "risk.min_notional": "25",
    "risk.min_notional_currency": "BTC",
    "risk.price_band_pct": "2",
    "paper.volume_pct": "12.5",
    "live.resting_stops": "false",
    "live.stop_limit_gap_pct": "2.5",
    "live.stop_patience_seconds": "20",
    "live.losses_every_seconds": "60",
    "risk.regime_trend": "0.9",
    "risk.regime_range": "0.67",
    "risk.regime_high_vol": "0.4",
    "execution.chase_wait_seconds": "5",
    "execution.chase_until_seconds": "20",
    "execution.split_impact_pct": "0.2",
    "execution.split_pause_seconds": "2",
    "execution.split_until_seconds": "60",
    "execution.twap_slices": "4",
    "execution.twap_minutes": "2",
    "risk.correlation_cut": "0.25",
    "risk.correlation_bars": "50",
    "risk.allow_short": "true",
    "risk.exit_pause_minutes": "30",
    "risk.stop_guard_stops": "4",
    "risk.low_profit_pct": "-1.5",
    "risk.recent_drawdown_pct": "12.5",
    "risk.max_trades_per_symbol_day": "3",
    "risk.stop_guard_each_symbol": "true",
    "risk.recent_drawdown_each_symbol": "false",
    "risk.low_profit_trades": "5",
    "risk.recent_drawdown_trades": "5",
    **{
        f"risk.{name}_{what}": "90"
        for name in ("stop_guard", "low_profit", "recent_drawdown")
        for what in ("minutes", "pause_minutes")
    },
    **{
        f"risk.{name}_{part}": word
        for name in ("daily_loss", "weekly_loss", "monthly_loss", "drawdown")
        for part, word in (("closes", "directional"), ("waiting", "keep"), ("ends", "settings"))
    },
    "backtest.default_cash": "500",
    "backtest.commission_pct": "0.25",
    "backtest.spread_pct": "0.5",
    "alerts.info": "telegram,email",
    "alerts.warning": "webhook",
    "alerts.critical": "telegram",
    "alerts.report": "email",
    "alerts.report_time": "06:30",
    "alerts.slippage_pct": "0.5",
    "alerts.telegram_commands": "false",
    "alerts.telegram_api": "http://127.0.0.1:9000",
    "alerts.smtp_host": "smtp.example.org",
    "alerts.smtp_port": "465",
    "alerts.smtp_security": "tls",
    "alerts.smtp_user": "me",
    "alerts.smtp_from": "a@example.org",
    "alerts.smtp_to": "b@example.org,c@example.org",
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", env_names())
def test_every_scalar_has_a_variable_that_beats_the_file(config: Path, name: str) -> None:
    section, key = env_names()[name]
    text = SAMPLES[f"{section}.{key}"]
    before = getattr(getattr(load_settings(config, {}), section), key)
    after = getattr(getattr(load_settings(config, {name: text}), section), key)
    assert after != before
    assert str(after).lower() == text.lower() or float(after) == float(text)


def test_every_section_and_key_has_a_variable() -> None:
    keys = {(section, key) for section, model in SECTIONS.items() for key in model.model_fields}
    assert set(env_names().values()) == keys


def test_a_variable_can_set_what_the_file_leaves_out(config: Path) -> None:
    (config / "settings.yaml").write_text(SETTINGS.replace("  max_daily_loss_pct: 3\n", ""))
    settings = load_settings(config, {"HOT_CRYPTO_RISK_MAX_DAILY_LOSS_PCT": "2"})
    assert settings.risk.max_daily_loss_pct == 2


def test_the_command_line_beats_the_environment(config: Path) -> None:
    settings = load_settings(config, {"HOT_CRYPTO_DB_URL": "sqlite:///env.db"})
    assert settings.db.url == "sqlite:///env.db"
    changed = with_overrides(settings, {"db.url": "sqlite:///flag.db", "backtest.default_cash": None})
    assert changed.db.url == "sqlite:///flag.db"
    assert changed.backtest == settings.backtest
    assert settings.db.url == "sqlite:///env.db"


def test_a_blank_variable_counts_as_not_set(config: Path) -> None:
    env = {"EXCHANGE_BASE_URL": "", "HOT_CRYPTO_RISK_MAX_DAILY_LOSS_PCT": "  "}
    assert load_settings(config, env) == load_settings(config, {})


@pytest.mark.parametrize("text", ["yes", "1", "True", "on"])
def test_a_switch_in_the_environment_is_true_or_false_and_nothing_else(config: Path, text: str) -> None:
    (line,) = problems(config, {"HOT_CRYPTO_EXCHANGE_SANDBOX": text})
    assert line.startswith("environment variable HOT_CRYPTO_EXCHANGE_SANDBOX: exchange.sandbox: ")
    assert line.endswith("is not allowed: wanted true or false")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("HOT_CRYPTO_DB_ULR", "HOT_CRYPTO_DB_URL"),
        ("HOT_CRYPTO_RISK_MAX_DAILY_LOSS", "HOT_CRYPTO_RISK_MAX_DAILY_LOSS_PCT"),
        ("hot_crypto_db_url", "HOT_CRYPTO_DB_URL"),
        ("HOTCRYPTO_DB_URL", "HOT_CRYPTO_DB_URL"),
        ("EXCHANGE_BASEURL", "EXCHANGE_BASE_URL"),
        ("EXCHANGE_API_SECRETS", "EXCHANGE_API_SECRET"),
    ],
)
def test_a_misnamed_variable_is_refused_with_the_right_name(config: Path, name: str, meant: str) -> None:
    (line,) = problems(config, {name: "hunter2"})
    assert line.startswith(f"unknown environment variable {name!r}: did you mean {meant}?")
    assert "hunter2" not in line


@pytest.mark.parametrize("name", ["PATH", "EXCHANGE_SERVER", "HOTEL_CRYPTO", "EXCHANGE_API_KEY"])
def test_other_programs_variables_are_left_alone(config: Path, name: str) -> None:
    load_settings(config, {name: "x"})


def test_two_variables_for_one_key_must_agree(config: Path) -> None:
    env = {"EXCHANGE_BASE_URL": "http://a", "HOT_CRYPTO_EXCHANGE_BASE_URL": "http://b"}
    assert problems(config, env) == [
        "environment variable HOT_CRYPTO_EXCHANGE_BASE_URL and environment variable EXCHANGE_BASE_URL "
        "differ: set one of them"
    ]
    env["EXCHANGE_BASE_URL"] = "http://b/"
    env["HOT_CRYPTO_EXCHANGE_BASE_URL"] = "http://b/"
    assert load_settings(config, env).exchange.base_url == "http://b"


def test_a_variable_does_not_hide_a_section_of_the_wrong_kind(config: Path) -> None:
    (config / "settings.yaml").write_text(SETTINGS + "db: 5\n")
    (line,) = problems(config, {"HOT_CRYPTO_DB_URL": "sqlite:///x.db"})
    assert line == "config/settings.yaml:10: db: 5 is not allowed: wanted the keys url"


def test_a_variable_does_not_hide_a_file_of_the_wrong_kind(config: Path) -> None:
    (config / "settings.yaml").write_text("- 1")
    (line,) = problems(config, {"HOT_CRYPTO_DB_URL": "sqlite:///x.db"})
    assert line.startswith("config/settings.yaml: a list is not allowed at the top")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0])
def test_an_override_that_is_no_usable_number_is_refused(config: Path, number: float) -> None:
    with pytest.raises(SettingsError, match=r"command line: backtest.default_cash: .* is not allowed"):
        with_overrides(load_settings(config, {}), {"backtest.default_cash": number})


def test_overrides_are_checked_like_the_files(config: Path) -> None:
    settings = load_settings(config, {})
    with pytest.raises(SettingsError) as caught:
        with_overrides(settings, {"db.ulr": "x", "backtest.default_cash": "0", "exchange.name": "No Such"})
    paths = [".".join(path) for path in env_names().values()]
    assert str(caught.value).split("\n  ")[1:] == [
        f"command line: {unknown_name('setting', 'db.ulr', set(paths))}",
        "command line: exchange.name: 'No Such' is not allowed: wanted a ccxt id such as binanceus",
        "command line: backtest.default_cash: 0 is not allowed: wanted above 0 to 1e12 (quote currency)",
    ]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8090", "https://api.binance.us", "http://[::1]:1", "http://sim:80/"]
)
def test_an_exchange_address_is_scheme_host_and_port(config: Path, url: str) -> None:
    assert load_settings(config, {"EXCHANGE_BASE_URL": url}).exchange.base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8090", "ftp://a", "http://", "http://a:x", "http://a:99999", "http://a:0", "http://a/api",
     "http://a?x=1", "http://a#x", "http://[", "http://user@a"],
)  # fmt: skip
def test_anything_else_is_no_exchange_address(config: Path, url: str) -> None:
    (line,) = problems(config, {"EXCHANGE_BASE_URL": url})
    assert "is not allowed: wanted http:// or https://, a host and at most a port" in line


@pytest.mark.parametrize(
    "url", ["sqlite:///data/x.db", "sqlite:////abs/x.db", "sqlite://", "sqlite+pysqlite:///x.db",
            "postgresql+psycopg://u:p@h/db"]
)  # fmt: skip
def test_a_database_address_is_a_sqlalchemy_url(config: Path, url: str) -> None:
    assert load_settings(config, {"HOT_CRYPTO_DB_URL": url}).db.url == url


@pytest.mark.parametrize("url", ["data/x.db", "sqlite:/x.db", "sqlite://data/x.db", "sqlite", "://x"])
def test_anything_else_is_no_database_address(config: Path, url: str) -> None:
    (line,) = problems(config, {"HOT_CRYPTO_DB_URL": url})
    assert "wanted a URL such as sqlite:///data/hot_crypto.db, with three slashes for SQLite" in line


@pytest.mark.parametrize(
    ("file", "extra", "path"),
    [
        ("settings.yaml", "exchange2: {api_key: hunter2}", "exchange2.api_key"),
        ("settings.yaml", "apiKey: hunter2", "apiKey"),
        ("settings.yaml", "secrets: {a: hunter2}", "secrets"),
        ("settings.yaml", "db: {password: hunter2}", "db.password"),
        ("settings.yaml", "db: {url: 'postgresql://u:hunter2@h/db'}", "db.url"),
        ("settings.yaml", "db: {url: 'postgresql://h/db?user=u&password=hunter2'}", "db.url"),
        ("strategies.yaml", "  telegram_token: hunter2", "trend_ema.telegram_token"),
        (
            "markets.yaml",
            "- {symbol: ETH/USDT, timeframe: 4h, EXCHANGE_API_SECRET: hunter2}",
            "1.EXCHANGE_API_SECRET",
        ),
    ],
)
def test_a_secret_in_a_file_is_refused_and_never_shown(
    config: Path, file: str, extra: str, path: str
) -> None:
    text = (config / file).read_text()
    (config / file).write_text(text + extra + "\n")
    lines = problems(config)
    assert any(f": {path}: a secret does not belong here: put it into .env" in line for line in lines)
    assert "hunter2" not in "".join(lines)


def test_a_sqlite_path_with_an_at_sign_is_no_secret(config: Path) -> None:
    (config / "settings.yaml").write_text(SETTINGS + "db: {url: 'sqlite:////data/@disk/x.db'}\n")
    assert load_settings(config, {}).db.url == "sqlite:////data/@disk/x.db"


@pytest.mark.parametrize("url", ["mysql:/u:hunter2@h", "u:hunter2@h/x", "x?password=hunter2", "\nhunter2@h"])
def test_a_mistyped_database_address_does_not_show_its_password(config: Path, url: str) -> None:
    assert "hunter2" not in "".join(problems(config, {"HOT_CRYPTO_DB_URL": url}))


def test_neither_keys_nor_the_database_address_show_in_the_settings(config: Path) -> None:
    env = {
        "EXCHANGE_API_KEY": "hunter2",
        "EXCHANGE_API_SECRET": "hunter3",
        "HOT_CRYPTO_DB_URL": "postgresql://u:hunter4@h/db",
    }
    settings = load_settings(config, env)
    assert "hunter" not in repr(settings)
    assert "hunter2" not in settings.model_dump_json()
    assert "hunter3" not in settings.model_dump_json()


def test_a_long_value_is_cut_in_messages() -> None:
    assert shown_value("x" * 100) == "'" + "x" * 56 + "..."
    assert shown_value("a\nb") == "'a\\nb'"


def test_the_dotenv_file_adds_to_the_environment_and_never_overrides_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", "sqlite:///shell.db")
    monkeypatch.delenv("EXCHANGE_API_KEY", raising=False)
    (tmp_path / ".env").write_text(
        "# keys\nexport EXCHANGE_API_KEY='a${HOME}b' # comment\n\nHOT_CRYPTO_DB_URL=sqlite:///file.db\nBLANK=\n"
    )
    found = environment(tmp_path)
    assert found["HOT_CRYPTO_DB_URL"] == "sqlite:///shell.db"
    assert found["EXCHANGE_API_KEY"] == "a${HOME}b"
    assert found["BLANK"] == ""
    assert "EXCHANGE_API_KEY" not in os.environ


def test_without_a_dotenv_file_the_environment_is_the_shells(tmp_path: Path) -> None:
    assert environment(tmp_path) == dict(os.environ)


def test_every_line_of_dotenv_that_would_be_ignored_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n\n\nB hunter2\nA=hunter2\n'x=hunter2\nNAME_ONLY\n")
    with pytest.raises(SettingsError) as caught:
        environment(tmp_path)
    assert str(caught.value).split("\n  ")[1:] == [
        ".env:4: cannot be read: wanted NAME=value",
        ".env:5: A is set twice, first on line 1",
        ".env:6: cannot be read: wanted NAME=value",
        ".env:7: cannot be read: wanted NAME=value",
    ]


def test_a_dotenv_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfONLY_HERE=1\r\n")
    assert environment(tmp_path)["ONLY_HERE"] == "1"


def test_a_dotenv_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(SettingsError, match=r"\.env:1: is not UTF-8"):
        environment(tmp_path)


def test_an_option_is_named_as_it_was_typed(config: Path) -> None:
    with pytest.raises(SettingsError, match=r"^--cash: backtest.default_cash: -5.0 is not allowed"):
        with_overrides(
            load_settings(config, {}), {"backtest.default_cash": -5.0}, {"backtest.default_cash": "--cash"}
        )


def test_every_percentage_is_known_to_what_tells_fractions() -> None:
    keys = {key for model in SECTIONS.values() for key in model.model_fields if key.endswith("_pct")}
    assert set(LIKE_A_FRACTION) == keys


@pytest.mark.parametrize(
    ("variable", "text", "line"),
    [
        (
            "RISK_MAX_DAILY_LOSS_PCT",
            "0.3",
            "risk.max_daily_loss_pct is in percent: 0.3 is taken as 0.3 %; if 30",
        ),
        ("RISK_MAX_EXPOSURE_PCT", "1.0", "risk.max_exposure_pct is in percent: 1 is taken as 1 %; if 100 %"),
        (
            "BACKTEST_COMMISSION_PCT",
            "0.001",
            "backtest.commission_pct is in percent: 0.001 is taken as 0.001 %",
        ),
        (
            "PAPER_VOLUME_PCT",
            "0.1",
            "paper.volume_pct is in percent: 0.1 is taken as 0.1 %; if 10 % is meant",
        ),
    ],
)
def test_a_percentage_that_looks_like_a_fraction_is_noted(
    config: Path, variable: str, text: str, line: str
) -> None:
    assert notes(load_settings(config, {})) == []
    (note,) = notes(load_settings(config, {f"HOT_CRYPTO_{variable}": text}))
    assert note.startswith(line)
