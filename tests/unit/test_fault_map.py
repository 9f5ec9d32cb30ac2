"""Every known fault of streams (W), Kraken (K), protective orders (P) and going live (L) has a test.

The map is for whoever looks for the proof of one; each test that it names must be there. What this program
does not use cannot fail so: the test named shows that it is not sent.
"""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
MAP = {
    "W1 broken text, wrong type, bad UTF-8": (
        "test_whatever_ends_a_connection_it_is_a_gap_and_the_next_one_brings_what_follows",
        "test_w1_a_message_that_cannot_be_read_replaces_a_connection_whose_task_waits_for_ever",
    ),
    "W2 a drop between two reads": (
        "test_whatever_ends_a_connection_it_is_a_gap_and_the_next_one_brings_what_follows",
    ),
    "W3 close 1000, 1001, 1008, 1012, RST, FIN": (
        "test_whatever_ends_a_connection_it_is_a_gap_and_the_next_one_brings_what_follows",
        "test_w3_however_a_connection_ends_a_gap_is_told_and_it_is_dialled_again",
    ),
    "W4 one channel mute": ("test_w4_one_mute_market_is_noticed_while_the_other_talks",),
    "W5 data and no pongs": (
        "test_w5_data_without_pongs_is_a_connection_that_is_replaced_and_nothing_comes_twice",
    ),
    "W6 flapping": (
        "test_w6_a_connection_that_flaps_is_dialled_sixty_times_in_five_minutes_and_no_more",
        "test_w6_no_window_ever_holds_more_dials_than_the_budget",
    ),
    "W7 a refused subscription": (
        "test_w7_a_market_that_the_venue_does_not_stream_is_off_and_the_other_goes_on",
    ),
    "W8 Kraken's second timeframe on one object": ("test_candles_are_final_in_the_stream_as_rest_has_them",),
    "W9 an event lost without a drop": (
        "test_w9_what_a_stream_loses_without_a_drop_rest_brings_at_its_next_look",
        "test_with_a_stop_at_rest_a_glance_at_balances_is_enough",
    ),
    "W10 events out of order or doubled": (
        "test_w10_what_is_final_is_said_once_whatever_is_repeated_or_late",
        "test_w10_an_event_that_comes_twice_is_one",
    ),
    "W11 an event without its symbol": ("test_w11_an_event_with_changed_fields_only_is_known_by_its_order",),
    "W12 a message that mixes kinds": (
        "test_w12_each_element_of_a_message_of_executions_is_what_it_says_itself",
    ),
    "W13 numbers of messages leap or begin anew": (
        "test_w13_a_number_that_is_missing_or_starts_anew_makes_all_be_compared",
    ),
    "W14 a listen key ended by others": (
        "test_w14_a_listen_key_that_another_program_ended_is_replaced_without_anybody_saying_so",
    ),
    "W15 an end that is announced": ("test_w14_w15_an_end_that_is_announced_is_taken_at_its_word",),
    "W16 a token that is refused": ("test_w16_a_token_that_kraken_refuses_is_replaced_by_a_fresh_one",),
    "W17 thousands of events at once": ("test_w17_more_orders_than_are_kept_make_all_of_them_looked_at",),
    "W18 an engine that does not read": ("test_w18_an_engine_that_does_not_look_costs_candles_and_no_order",),
    "W19 an address of another house": (
        "test_w19_whatever_address_of_ccxt_is_forgotten_nothing_is_dialled_elsewhere",
    ),
    "W20 the end during a dial or a pause": (
        "test_w20_a_line_ends_soon_while_it_waits_for_its_turn_to_dial",
        "test_w20_a_connection_that_cannot_be_closed_does_not_keep_the_end_waiting",
    ),
    "W21 keys in logs and addresses": ("test_w21_no_key_leaves_the_streams_by_any_way",),
    "K1 a nonce that does not rise": (
        "test_a_second_program_on_the_key_is_told_and_costs_time_only",
        "test_each_connection_has_a_key_of_its_own_and_all_questions_are_the_clients",
    ),
    "K2 an order whose answer is lost": (
        "test_without_an_answer_an_order_is_unknown_until_it_is_looked_up",
        "test_an_order_that_is_late_is_found_or_never_comes",
    ),
    "K3 words about the venue's own state": (
        "test_no_word_of_kraken_about_its_own_state_says_what_became_of_an_order",
    ),
    "K4 a warning beside an order": ("test_without_an_answer_an_order_is_unknown_until_it_is_looked_up",),
    "K5 answers without an order": ("test_without_an_answer_an_order_is_unknown_until_it_is_looked_up",),
    "K6 the engine's counter": (
        "test_k6_near_the_engine_s_limit_entries_wait_exits_and_stops_go_on_and_the_status_says_so",
        "test_k6_a_stop_that_the_venue_has_no_room_for_now_is_tried_again",
    ),
    "K7 a cancel that counts nothing": ("test_a_cancel_that_is_not_confirmed_is_unknown_and_sent_once",),
    "K8 an amendment's id": (
        "test_k8_a_change_is_one_amendment_with_these_fields_and_the_order_keeps_its_names",
    ),
    "K9 fields that the venue does not know": (
        "test_every_kind_is_sent_as_what_it_is_and_kraken_knows_every_field",
        "test_k9_a_stop_is_sent_with_exactly_these_fields_and_rests",
    ),
    "K10 pages that move": (
        "test_fills_of_all_pairs_are_paged_and_those_after_one_come_once",
        "test_closed_orders_and_trades_are_paged_by_fifty_newest_first",
    ),
    "K11 modes of maintenance": (
        "test_through_maintenance_an_exit_waits_and_is_sent_once",
        "test_while_a_market_takes_no_orders_the_stop_stays_and_is_sold_after_it",
    ),
    "K12 a fee in base": ("test_a_fee_in_base_is_told_by_the_ledger_alone",),
    "K13 another wording of an order": (
        "test_an_order_of_another_symbol_is_not_the_one_and_another_wording_no_crash",
    ),
    "P1 a kill after a part of an entry": (
        "test_p1_after_a_kill_one_stop_rests_for_what_is_held_within_seconds",
    ),
    "P2 entries that grow": (
        "test_p2_entries_that_grow_are_followed_by_one_stop_never_larger_than_what_is_held",
        "test_what_is_placed_or_changed_never_sells_more_than_is_held",
    ),
    "P3 a stop filled in part, then an exit": (
        "test_p3_a_stop_partly_filled_is_cancelled_for_an_exit_that_sells_the_rest",
    ),
    "P4 a stop that is jumped over": (
        "test_p4_a_stop_that_is_jumped_over_is_cancelled_and_the_rest_sold_at_the_market",
    ),
    "P5 stops that the venue ends": ("test_p5_p9_a_stop_that_others_end_is_placed_again_and_told",),
    "P6 a sixth stop": (
        "test_p6_where_the_venue_takes_fewer_stops_those_that_rest_stay_and_the_greatest_come_first",
        "test_p6_the_sixth_stop_in_a_symbol_is_refused_by_its_filter",
    ),
    "P7 a leg of an OCO: none is sent": ("test_k9_a_stop_is_sent_with_exactly_these_fields_and_rests",),
    "P8 a stop that is too small, or out of a filter": (
        "test_p8_what_is_less_than_the_smallest_order_is_watched_and_says_so",
        "test_p8_a_stop_that_a_filter_refuses_is_watched_by_the_program_and_tried_again",
    ),
    "P9 the dead-man's switch fires: it is never set, and one of others is survived": (
        "test_p5_p9_a_stop_that_others_end_is_placed_again_and_told",
        "test_p9_nothing_ever_arms_the_dead_man_s_switch",
    ),
    "P10 a conditional close: none is sent": ("test_k9_a_stop_is_sent_with_exactly_these_fields_and_rests",),
    "P11 a cancel-replace: none is sent": (
        "test_where_orders_cannot_be_changed_nothing_is_sent",
        "test_a_stop_that_is_moved_is_replaced_and_the_unprotected_time_is_told",
    ),
    "P12 a list of orders: none is sent": (
        "test_k9_a_stop_is_sent_with_exactly_these_fields_and_rests",
        "test_p1_after_a_kill_one_stop_rests_for_what_is_held_within_seconds",
    ),
    "L1 rights that a venue does not tell": ("test_what_a_venue_does_not_tell_a_person_may_confirm",),
    "L2 a key that may withdraw": (
        "test_real_money_is_refused_and_the_line_says_what_to_do",
        "test_what_a_person_confirmed_does_not_beat_what_the_venue_tells",
    ),
    "L3 a stream that never says anything of the account: nothing depends on it": (
        "test_whatever_streams_say_the_same_is_decided_filled_and_traded",
        "test_a_sale_by_hand_is_booked_soon_after_the_message_that_tells_of_it_not_a_minute_later",
    ),
}
COUNTS = {"W": 21, "K": 13, "P": 12, "L": 3}


def test_every_known_fault_is_in_the_map() -> None:
    found = [re.fullmatch(r"([WKPL])(\d+) .+", fault) for fault in MAP]
    numbers = [(one[1], int(one[2])) for one in found if one is not None]
    assert numbers == [(kind, number) for kind, most in COUNTS.items() for number in range(1, most + 1)]


def test_each_test_that_the_map_names_is_there() -> None:
    named = {name for names in MAP.values() for name in names}
    text = "".join(path.read_text(encoding="utf-8") for path in TESTS.glob("*/test_*.py"))
    assert named - set(re.findall(r"^def (test_\w+)", text, re.MULTILINE)) == set()


def test_p9_nothing_ever_arms_the_dead_man_s_switch() -> None:
    """It cancels resting stops with all else: a program that hangs would leave positions without any."""
    calls = re.compile(r"cancel_?all_?orders_?after|CancelAllOrdersAfter|countdownCancelAll", re.IGNORECASE)
    core = TESTS.parent / "core"
    ours = [path for path in core.rglob("*.py") if path.parent.name != "exchange_sim"]
    assert [path.name for path in ours if calls.search(path.read_text(encoding="utf-8"))] == []
