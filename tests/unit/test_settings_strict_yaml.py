"""YAML's traps: each is read the way a person means it, or refused with its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SettingsError
from core.settings import strict_yaml
from core.settings.strict_yaml import MAX_BYTES, Document, dotted, plain_scalar, read_yaml


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.yaml"


def read(file: Path, content: str | bytes) -> Document:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_yaml(file, "a.yaml")


def problem(file: Path, content: str | bytes) -> str:
    with pytest.raises(SettingsError) as caught:
        read(file, content)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-3", -3),
        ("+3", 3),
        ("0", 0),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("NO", "NO"),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("True", "True"),
        ("TRUE", "TRUE"),
        ("010", "010"),
        ("0o10", "0o10"),
        ("0x10", "0x10"),
        ("0b1", "0b1"),
        ("00.5", "00.5"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("12:30:00", "12:30:00"),
        ("2024-01-01", "2024-01-01"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("-.inf", "-.inf"),
        ("nan", "nan"),
        ("1e", "1e"),
        (".", "."),
        ("٣", "٣"),
    ],
)
def test_a_plain_word_is_true_false_null_a_decimal_number_or_text(
    file: Path, text: str, value: object
) -> None:
    found = read(file, f"key: {text}").data["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("quoted", ["'5'", '"5"', "|-\n  5", ">-\n  5"])
def test_a_quoted_number_is_text(file: Path, quoted: str) -> None:
    assert read(file, f"key: {quoted}").data == {"key": "5"}


@pytest.mark.unmeasured
@given(st.text(alphabet="0123456789.eE+-", min_size=1, max_size=30))
def test_whatever_is_read_as_a_number_is_the_number_python_reads(text: str) -> None:
    value = plain_scalar(text)
    assert value == text or value == float(text)


@pytest.mark.unmeasured
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_writes_is_read_back(number: float) -> None:
    assert plain_scalar(repr(number)) == number


def test_lists_become_tuples_and_every_value_has_its_line(file: Path) -> None:
    doc = read(file, "a:\n  - x: 1\n  - [2,\n     3]\n")
    assert doc.data == {"a": ({"x": 1}, (2, 3))}
    assert doc.place(("a", 0, "x")) == "a.yaml:2"
    assert doc.place(("a", 1, 1)) == "a.yaml:4"


def test_the_place_of_what_is_missing_is_the_nearest_thing_around_it(file: Path) -> None:
    doc = read(file, "\na:\n  b: 1\n")
    assert doc.place(("a", "missing")) == "a.yaml:2"
    assert doc.place(("missing",)) == "a.yaml"


def test_every_key_given_twice_is_a_problem_with_both_lines_and_the_first_value_stays(file: Path) -> None:
    doc = read(file, "risk:\n  a: 1\n  a: 2\nx: 1\nx: 2\n")
    assert doc.data == {"risk": {"a": 1}, "x": 1}
    assert doc.problems == (
        "a.yaml:3: risk.a is given twice, first at a.yaml:2: keep one",
        "a.yaml:5: x is given twice, first at a.yaml:4: keep one",
    )


@pytest.mark.parametrize("key", ["4", "true", "~", "[1]", "{a: 1}"])
def test_a_key_that_is_not_text_is_a_problem(file: Path, key: str) -> None:
    doc = read(file, f"a: 1\n? {key}\n: 2\n")
    assert doc.data == {"a": 1}
    assert doc.problems == ("a.yaml:2: a key must be text: put it in quotes",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.yaml: is empty"),
        ("# only a comment\n", "a.yaml: is empty"),
        (
            "a:\n\tb: 1\n",
            "a.yaml:2:1: cannot be read: while scanning for the next token, found character '\\t'",
        ),
        ("a: [1, 2", "a.yaml:1:9"),
        ("a: b: c", "a.yaml:1:5"),
        ("a: 'x", "a.yaml:1:6"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2:1: cannot be read: expected a single document"),
        ("a: \x00", "a.yaml: cannot be read: unacceptable character"),
        ("a: &x 1\nb: *x\n", "a.yaml:1:4: cannot be read: anchors and aliases"),
        ("a: *x\n", "a.yaml:1:4: cannot be read: anchors and aliases"),
        ("a: !!python/object/apply:os.system [ls]", "a.yaml:1:4: cannot be read: tags (!) are not allowed"),
        ("a: !!float 1", "a.yaml:1:4: cannot be read: tags (!) are not allowed"),
        ("[" * 5000, "a.yaml:1:13: cannot be read: nested deeper than 12 levels"),
        (b"a: 1\nb: \xff\n", "a.yaml:2: is not UTF-8"),
        (b"\xff\xfea\x00", "a.yaml:1: is not UTF-8"),
        ("a" * (MAX_BYTES + 1), f"a.yaml: has {MAX_BYTES + 1} bytes: wanted at most {MAX_BYTES}"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    file: Path, content: str | bytes, message: str
) -> None:
    assert problem(file, content).startswith(message)


def test_a_tab_is_named_as_such(file: Path) -> None:
    assert problem(file, "a:\n\tb: 1\n").endswith("that is a tab: indent with spaces")


def test_an_alias_bomb_is_refused_at_its_first_anchor(file: Path) -> None:
    bomb = "a: &a [x,x,x,x]\n" + "".join(
        f"{b}: &{b} [*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "anchors and aliases" in problem(file, bomb)


def test_a_merge_key_is_an_ordinary_key(file: Path) -> None:
    assert read(file, "<<: {a: 1}").data == {"<<": {"a": 1}}


def test_a_byte_order_mark_and_windows_line_ends_are_read(file: Path) -> None:
    assert read(file, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n").data == {"a": 1, "b": 2}


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        read_yaml(tmp_path / "none.yaml", "none.yaml")
    with pytest.raises(SettingsError, match="directory: is no file but a folder"):
        read_yaml(tmp_path, "directory")


def outcome(path: Path) -> str:
    try:
        return " ".join(read_yaml(path, path.name).problems)
    except SettingsError as error:
        return str(error)


@pytest.mark.unmeasured
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory: Any, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    assert "\n" not in outcome(path)


PARTS = ("a", "b", "1", "é", "…", ":", " ", "\n", "\n  ", "- ", ", ", "{", "}", "[", "]", "'", '"', "#", "\\")
MORE_PARTS = (
    "|",
    ">",
    "?",
    "!",
    "&",
    "*",
    "%",
    "@",
    "`",
    "-",
    ".",
    "---",
    "\r",
    "\t",
    "\x85",
    "key: ",
    "\n- ",
)


@pytest.mark.unmeasured
@given(st.lists(st.sampled_from(PARTS + MORE_PARTS), max_size=12).map("".join))
def test_libyaml_is_asked_for_what_it_reads_as_python_does(tmp_path_factory: Any, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "both.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    quick = whole_outcome(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        assert whole_outcome(path) == quick


def whole_outcome(path: Path) -> object:
    try:
        return read_yaml(path, "both.yaml")
    except SettingsError as error:
        return str(error)


@pytest.mark.parametrize("text", ["a: {b: c", "a: &b c", "a: [1, 2]]", "a: !x b"])
def test_what_is_wrong_is_told_in_one_way_whoever_read_it(file: Path, text: str) -> None:
    told = problem(file, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        assert problem(file, text) == told


@pytest.mark.parametrize("name", ["settings", "strategies", "markets"])
def test_the_shipped_files_are_read_by_libyaml(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_yaml, "_StrictLoader", None)
    path = Path(strict_yaml.__file__).resolve().parents[2] / "config" / f"{name}.yaml"
    assert read_yaml(path, path.name).data


def test_a_key_path_is_written_with_dots() -> None:
    assert dotted(("trend_ema", "symbols", 0)) == "trend_ema.symbols.0"


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "pipe", "\0"])
def test_what_has_no_end_is_not_read(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match=r"is no file but a folder, a pipe or a device|null byte"):
        read_yaml(tmp_path / name, "settings.yaml")
