"""The settings of config/live.yaml: where real money may be traded, and how much of it at most."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from core.errors import SettingsError
from core.settings.kinds import Section
from core.settings.problems import check_form, not_a_mapping, without_secrets
from core.settings.strict_yaml import read_yaml

FILE = "live.yaml"
_YES = "true or false"


def _https(text: str) -> str:
    if not text.startswith("https://") or "@" in text or len(text) <= len("https://"):
        raise ValueError("the exchange's own https address, such as https://api.binance.us")
    return text.rstrip("/")


class Caps(Section):
    """What is stricter than settings.yaml while real money is traded; nothing here loosens a limit of it."""

    capital: Annotated[float, Field(gt=0, le=1e12, description="above 0 to 1e12 (quote currency)")]
    """The most of the account that is used."""
    max_order: Annotated[float, Field(gt=0, le=1e12, description="above 0 to 1e12 (quote currency)")]
    """No entry is larger, once the first days are over."""
    max_orders_per_day: Annotated[int, Field(ge=1, le=1_000_000, description="1 to 1000000 (a whole number)")]
    max_daily_loss_pct: Annotated[float, Field(ge=0.1, le=50, description="0.1 to 50 (percent: 2 is 2 %)")]
    ramp_days: Annotated[int, Field(ge=0, le=365, description="0 to 365 (days)")] = 7
    """Orders begin small and reach max_order after so many days."""
    ramp_start_pct: Annotated[
        float, Field(gt=0, le=100, description="above 0 to 100 (percent of max_order)")
    ] = 25.0

    def order_cap(self, day: int) -> float:
        """Return the largest entry on a day, 0 for the first; it grows by the same step each day."""
        if day >= self.ramp_days:
            return self.max_order
        start = self.ramp_start_pct / 100
        return self.max_order * (start + (1 - start) * day / self.ramp_days)


class Confirmed(Section):
    """What only a person can know: true once they have looked."""

    key_cannot_withdraw: Annotated[bool, Field(description=_YES)] = False
    key_is_bound_to_address: Annotated[bool, Field(description=_YES)] = False
    stops_need_this_program: Annotated[bool, Field(description=_YES)] = False


class PaperFirst(Section):
    """What was done on paper first."""

    account: Annotated[str, Field(min_length=1, description="the paper account's name")] = "paper"
    days: Annotated[int, Field(ge=0, le=3650, description="0 to 3650 (days)")] = 14
    without_it: Annotated[str, Field(max_length=500, description="why it is done without, in words")] = ""
    """A reason to begin without that record; it is kept with every run."""


class RealMoney(Section):
    """All of config/live.yaml."""

    mode: Annotated[Literal["paper", "live"], Field(description="paper, or live")]
    account: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$", description="a name such as live")
    ]
    exchange: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="a ccxt id such as binanceus")]
    address: Annotated[
        Annotated[str, AfterValidator(_https)], Field(description="its address: https://api.binance.us")
    ]
    """The one address that requests are signed for."""
    caps: Caps
    confirmed: Confirmed = Confirmed()
    paper: PaperFirst = PaperFirst()


PARTS: Mapping[str, type[Section]] = {"caps": Caps, "confirmed": Confirmed, "paper": PaperFirst}


def load_real_money(config_dir: Path) -> RealMoney:
    """Return the settings of live.yaml. Raises SettingsError that lists every problem, a line each."""
    path = config_dir / FILE
    here = Path.cwd()
    doc = read_yaml(path, str(path.relative_to(here) if path.is_relative_to(here) else path))
    problems = list(doc.problems)
    doc = without_secrets(doc, problems)
    if not isinstance(doc.data, dict):
        raise SettingsError(not_a_mapping(doc, f"the keys {', '.join(RealMoney.model_fields)}"))
    parts = {name: check_form(kind, (name,), doc, problems) for name, kind in PARTS.items()}
    if all(parts.values()):
        whole = doc._replace(data={**doc.data, **{name: part for name, part in parts.items() if part}})
        found = check_form(RealMoney, (), whole, problems)
    else:
        found = None
    if problems or found is None:
        text = "\n  ".join([f"{len(problems)} problems in the settings:", *problems])
        raise SettingsError(problems[0] if len(problems) == 1 else text)
    return found
