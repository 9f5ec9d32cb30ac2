"""The settings: `config/*.yaml` under the environment under the command line, all checked at once.

    settings = load_settings(ROOT / "config", environment(ROOT))
    settings = with_overrides(settings, {"db.url": arguments.db_url})

Every scalar key of settings.yaml can be set by an environment variable HOT_CRYPTO_<SECTION>_<KEY>, such as
HOT_CRYPTO_RISK_MAX_DAILY_LOSS_PCT. A blank variable counts as not set; an unknown one is an error. Secrets
(SECRETS below: of the exchange, the live page, the alerts) stay in the environment, no part of the settings.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from core.errors import SettingsError, UsageError, unknown_name
from core.risk.percents import percent_notes
from core.settings.models import (
    SECTIONS,
    AlertSettings,
    BacktestSettings,
    DbSettings,
    ExchangeSettings,
    MarketSettings,
    RiskSettings,
    Settings,
    StrategySettings,
    env_names,
    is_text,
)
from core.settings.problems import check_form, not_a_mapping, without_secrets
from core.settings.strict_yaml import Document, dotted, plain_scalar, read_text, read_yaml

__all__ = [
    "AlertSettings",
    "BacktestSettings",
    "DbSettings",
    "ExchangeSettings",
    "MarketSettings",
    "ParamCheck",
    "RiskSettings",
    "Settings",
    "StrategySettings",
    "environment",
    "load_settings",
    "notes",
    "with_overrides",
]

ParamCheck = Callable[[str, Mapping[str, object]], Iterable[str]]
"""(strategy's name in strategies.yaml, its params) -> one line per problem; may raise UsageError instead."""

DASHBOARD = ("HOT_CRYPTO_DASHBOARD_PASSWORD", "HOT_CRYPTO_DASHBOARD_TOKEN")
BOT_TOKEN, BOT_CHATS = "TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"
WEBHOOK_URL, SMTP_PASSWORD = "HOT_CRYPTO_ALERTS_WEBHOOK_URL", "HOT_CRYPTO_ALERTS_SMTP_PASSWORD"
SECRETS = (
    *("EXCHANGE_API_KEY", "EXCHANGE_API_SECRET", *DASHBOARD),
    *(BOT_TOKEN, BOT_CHATS, WEBHOOK_URL, SMTP_PASSWORD),
)
OWN_FOLDER = "HOT_CRYPTO_STRATEGIES"
"""Names the folder of one's own strategies, which is no setting: it may have settings in it."""
COMMAND_LINE = "command line"


def load_settings(
    config_dir: Path,
    env: Mapping[str, str],
    check_params: ParamCheck | None = None,
    strategies_file: Path | None = None,
    own_file: Path | None = None,
) -> Settings:
    """Return the settings of the three files in `config_dir` with the environment laid over them.

    `strategies_file` stands in for strategies.yaml; the entries of `own_file` are laid over those in it.
    Raises SettingsError that lists every problem of every file and variable, one line each.
    """
    problems = _unknown_variables(env)
    main = _read(config_dir / "settings.yaml", problems)
    sections = _sections(_overlay(main, _from_env(env, problems)), problems) if main else {}
    entries = strategies_file or config_dir / "strategies.yaml"
    strategies = _strategies(_read(entries, problems), check_params, problems)
    if own_file is not None:
        strategies |= _strategies(_read(own_file, problems), check_params, problems)
    markets = _markets(_read(config_dir / "markets.yaml", problems), problems)
    _raise_if(problems)
    return Settings.model_validate({**sections, "strategies": strategies, "markets": markets})


def with_overrides(
    settings: Settings, overrides: Mapping[str, object], typed: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings with values of the command line, by `section.key`; None means not given.

    Text is read as in the files; `typed` names the option that a key came from, such as --cash. Raises
    SettingsError as `load_settings` does.
    """
    paths = {dotted(path): path for path in env_names().values()}
    given = {name: value for name, value in overrides.items() if value is not None}
    problems = [
        f"{COMMAND_LINE}: {unknown_name('setting', name, paths)}" for name in given if name not in paths
    ]
    values = {
        paths[name]: ((typed or {}).get(name, COMMAND_LINE), _typed(paths[name], value))
        for name, value in given.items()
        if name in paths
    }
    now = Document(settings.model_dump(include=set(SECTIONS)), {(): COMMAND_LINE}, ())
    sections = _sections(_overlay(now, values), problems)
    _raise_if(problems)
    return settings.model_copy(update=sections)


def notes(settings: Settings) -> list[str]:
    """Return what is allowed in the settings and probably not meant: percentages that look like fractions."""
    return [
        line
        for section in SECTIONS
        for line in percent_notes(getattr(settings, section).model_dump(), f"{section}.")
    ]


def environment(root: Path) -> dict[str, str]:
    """Return the process's environment over what `.env` in `root` adds, if there is one.

    Raises SettingsError for a line that cannot be read or a name that is there twice; shows no values.
    """
    path = root / ".env"
    return {**(_dotenv(read_text(path, ".env")) if path.exists() else {}), **os.environ}


def _read(path: Path, problems: list[str]) -> Document | None:
    here = Path.cwd()
    shown = str(path.relative_to(here) if path.is_relative_to(here) else path)
    try:
        doc = read_yaml(path, shown)
    except SettingsError as error:
        problems.append(str(error))
        return None
    problems += doc.problems
    return without_secrets(doc, problems)


def _sections(doc: Document, problems: list[str]) -> dict[str, Any]:
    """Check settings.yaml."""
    if not isinstance(doc.data, dict):
        problems.append(not_a_mapping(doc, f"the sections {', '.join(SECTIONS)}"))
        return {}
    problems += [
        f"{doc.place((name,))}: {unknown_name('section', name, SECTIONS)}"
        for name in doc.data
        if name not in SECTIONS
    ]
    return {name: check_form(model, (name,), doc, problems) for name, model in SECTIONS.items()}


def _strategies(
    doc: Document | None, check_params: ParamCheck | None, problems: list[str]
) -> dict[str, StrategySettings]:
    if doc is None:
        return {}
    if not isinstance(doc.data, dict):
        problems.append(not_a_mapping(doc, "strategies by name, such as trend_ema"))
        return {}
    found: dict[str, StrategySettings] = {}
    for name in doc.data:
        entry = check_form(StrategySettings, (name,), doc, problems)
        if entry is not None:
            found[name] = entry
            problems += _params_problems(name, entry, check_params, doc)
    return found


def _params_problems(
    name: str, entry: StrategySettings, check_params: ParamCheck | None, doc: Document
) -> list[str]:
    try:
        lines = list(check_params(name, entry.params)) if check_params else []
    except UsageError as error:
        lines = [str(error)]
    return [f"{doc.place((name, 'params'))}: {name}: {line}" for line in lines]


def _markets(doc: Document | None, problems: list[str]) -> tuple[MarketSettings, ...]:
    if doc is None:
        return ()
    if not isinstance(doc.data, tuple) or not doc.data:
        problems.append(not_a_mapping(doc, "a list of symbol and timeframe pairs"))
        return ()
    found: list[MarketSettings] = []
    for i in range(len(doc.data)):
        market = check_form(MarketSettings, (i,), doc, problems)
        if market in found:
            problems.append(
                f"{doc.place((i,))}: {market.symbol} {market.timeframe} is listed twice: keep one"
            )
        elif market is not None:
            found.append(market)
    return tuple(found)


def _overlay(doc: Document, given: Mapping[tuple[str, str], tuple[str, object]]) -> Document:
    """Lay values with their origins over a document; a section of the wrong kind stays to be reported."""
    if not isinstance(doc.data, dict):
        return doc
    data, places = dict(doc.data), dict(doc.places)
    for (section, key), (origin, value) in given.items():
        inside = data.get(section) or {}
        if isinstance(inside, dict):
            data[section] = {**inside, key: value}
            places[section, key] = origin
    return doc._replace(data=data, places=places)


def _from_env(env: Mapping[str, str], problems: list[str]) -> dict[tuple[str, str], tuple[str, object]]:
    found: dict[tuple[str, str], tuple[str, object]] = {}
    for name, path in env_names().items():
        text = env.get(name, "").strip()
        if not text:
            continue
        origin, value = f"environment variable {name}", _typed(path, text)
        if path in found and found[path][1] != value:
            problems.append(f"{origin} and {found[path][0]} differ: set one of them")
        found[path] = origin, value
    return found


def _typed(path: tuple[str, str], value: object) -> object:
    return plain_scalar(value) if isinstance(value, str) and not is_text(*path) else value


def _unknown_variables(env: Mapping[str, str]) -> list[str]:
    """A misnamed variable that is silently ignored trades with the wrong settings."""
    known = [*env_names(), *SECRETS, OWN_FOLDER]
    return [
        unknown_name("environment variable", name, known)
        for name in sorted(env)
        if name not in known and _looks_like_ours(name.upper(), known)
    ]


def _looks_like_ours(name: str, known: list[str]) -> bool:
    # EXCHANGE_ alone is no sign: other programs use it too.
    is_near = name.startswith("EXCHANGE") and bool(get_close_matches(name, known, n=1, cutoff=0.85))
    return re.match("HOT_?CRYPTO", name) is not None or is_near


def _dotenv(text: str) -> dict[str, str]:
    from dotenv.parser import parse_stream

    found: dict[str, tuple[str, int]] = {}
    problems: list[str] = []
    for binding in parse_stream(io.StringIO(text)):
        source = binding.original.string
        line = binding.original.line + source[: len(source) - len(source.lstrip())].count("\n")
        if binding.error or (binding.key and binding.value is None):
            problems.append(f".env:{line}: cannot be read: wanted NAME=value")
        elif binding.key in found:
            problems.append(f".env:{line}: {binding.key} is set twice, first on line {found[binding.key][1]}")
        elif binding.key:
            found[binding.key] = binding.value or "", line
    _raise_if(problems)
    return {name: value for name, (value, _) in found.items()}


def _raise_if(problems: list[str]) -> None:
    if len(problems) == 1:
        raise SettingsError(problems[0])
    if problems:
        raise SettingsError("\n  ".join([f"{len(problems)} problems in the settings:", *problems]))
