from __future__ import annotations

from core.exchange_sim.limits import FIRST_BAN, LONGEST_BAN, PATIENCE, WeightCounter, WeightVerdict
from tests.sim import MINUTE, NOON

FIVE = 5 * MINUTE


def exhaust(limits: WeightCounter, now: int) -> WeightVerdict:
    verdict = limits.charge(limits.weight_limit + 1, now)
    for _ in range(PATIENCE):
        verdict = limits.charge(1, now)
    return verdict


def test_the_window_is_the_clocks_minute() -> None:
    limits = WeightCounter(weight_limit=10)
    assert [limits.charge(6, NOON + ms).status for ms in (59_000, 59_999, 60_000)] == [200, 429, 200]


def test_the_used_weight_includes_the_request_itself() -> None:
    limits = WeightCounter(weight_limit=10)
    assert [limits.charge(4, NOON).used for _ in range(2)] == [4, 8]


def test_raw_requests_are_counted_over_five_minutes() -> None:
    limits = WeightCounter(raw_limit=2)
    verdicts = [limits.charge(1, NOON + n * MINUTE) for n in range(3)]
    assert [verdict.status for verdict in verdicts] == [200, 200, 429]
    assert verdicts[-1].retry_after == 180
    assert limits.charge(1, NOON + FIVE).status == 200


def test_a_client_that_waits_is_not_banned() -> None:
    limits = WeightCounter(weight_limit=1)
    statuses = [limits.charge(1, NOON + n * MINUTE + k).status for n in range(9) for k in (0, 1)]
    assert statuses == [200, 429] * 9


def test_a_ban_lasts_until_it_said_and_asking_does_not_lengthen_it() -> None:
    limits = WeightCounter(weight_limit=1)
    banned = exhaust(limits, NOON)
    assert (banned.status, banned.banned_until, banned.retry_after) == (418, NOON + FIRST_BAN, 120)
    assert limits.charge(1, NOON + FIRST_BAN - 1) == WeightVerdict(0, 418, 1, NOON + FIRST_BAN)
    assert limits.charge(1, NOON + FIRST_BAN).status == 200


def test_each_ban_is_twice_as_long_up_to_three_days() -> None:
    limits, now, lengths = WeightCounter(weight_limit=1), NOON, []
    for _ in range(13):
        verdict = exhaust(limits, now)
        lengths.append(verdict.banned_until - now)
        now = verdict.banned_until
    assert lengths[:3] == [FIRST_BAN, 2 * FIRST_BAN, 4 * FIRST_BAN]
    assert lengths[-1] == LONGEST_BAN
