"""Set-up: the same packages on any day and with any pip, and one line where it cannot be."""

from __future__ import annotations

import ast
import base64
import hashlib
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from core import cli
from tests.tiers import programs, statistics, tries

ROOT = Path(__file__).resolve().parents[2]
LOCKS = tuple(
    f"requirements{kind}" for kind in ("", "-setup", "-parquet", "-dev", "-browser", "-dashboard", "-cluster")
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def locked(name: str) -> dict[str, list[Requirement]]:
    """Return what a lock file pins, by name: a package may have a pin for each of several Pythons."""
    pins: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^[a-z0-9].*(?= \\$)", (ROOT / f"{name}.lock").read_text(), re.MULTILINE):
        pin = Requirement(line)
        pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def listed(path: str) -> list[Requirement]:
    lines = [line.split("#")[0].strip() for line in (ROOT / path).read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def left_out() -> set[str]:
    return {canonicalize_name(item.name) for item in listed("requirements-left-out.txt")}


def test_two_locks_never_want_two_versions_of_one_package() -> None:
    """Else making one target's tools would change another's."""
    wanted: dict[str, set[str]] = {}
    for name in LOCKS:
        for line in (ROOT / f"{name}.lock").read_text().splitlines():
            # Of one package a version for some Pythons and another for others is no contradiction.
            if found := re.match(r"([a-z0-9._-]+)==([^ ;\\]+)([^\\]*)", line):
                wanted.setdefault(found[1] + found[3].rstrip(), set()).add(found[2])
    assert {name: versions for name, versions in wanted.items() if len(versions) > 1} == {}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_package_by_hash_and_names_no_index(name: str) -> None:
    text = (ROOT / f"{name}.lock").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text[text.index("\n") :])[1:]
    assert len(blocks) == sum(len(pins) for pins in locked(name).values())
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)
    assert "index-url" not in text.replace("--no-emit-index-url", "")
    assert "://" not in text


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_what_its_requirements_ask_for(name: str) -> None:
    pins = locked(name)
    for wanted in listed(f"{name}.txt"):
        (pin,) = pins[canonicalize_name(wanted.name)]
        assert pin.specifier == wanted.specifier


def test_constraints_are_the_lock_without_its_hashes() -> None:
    pins = [str(pin) for group in locked("requirements").values() for pin in group]
    assert [str(Requirement(line)) for line in (ROOT / "constraints.txt").read_text().splitlines()] == pins


def test_what_a_pinned_package_needs_is_pinned_too_its_extras_included() -> None:
    """An extra that is resolved on its own, on the day of the installation, once broke the set-up."""
    pins, known = locked("requirements-dev"), left_out()
    waiting, done = [(name, "") for name in pins], set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in done or not any(
            pin.marker is None or pin.marker.evaluate() for pin in pins[name]
        ):
            continue
        done.add((name, extra))
        for text in _requires(name):
            need = Requirement(text)
            key = canonicalize_name(need.name)
            if key in known or (need.marker and not need.marker.evaluate({"extra": extra})):
                continue
            assert key in pins, f"{name} needs {need}, which the lock does not pin"
            version = next(pin for pin in pins[key] if pin.marker is None or pin.marker.evaluate()).specifier
            assert next(iter(version)).version in need.specifier, f"{name} needs {need}"
            waiting += [(key, more) for more in need.extras]
    assert ("coverage", "toml") in done


def _requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed: this needs the packages of `make test`")


def wheel(folder: Path, name: str, version: str, *needs: str, script: str = "") -> str:
    """Put a wheel into a folder, and return its line in a lock file."""
    info, path = f"{name}-{version}.dist-info", folder / f"{name}-{version}-py3-none-any.whl"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: fast\n"
        + "".join(f"Requires-Dist: {need}\n" for need in needs),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        files[f"{name}-{version}.data/scripts/{name}"] = script
    record = "".join(f"{file},sha256={_digest(text)},{len(text)}\n" for file, text in files.items())
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            entry = zipfile.ZipInfo(file)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, text)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@programs
def test_make_installs_what_the_lock_lists_though_newer_versions_of_it_exist(tmp_path: Path) -> None:
    """The whole recipe with this Python's own pip, from an index on disk that knows newer versions."""
    uv = Path(sys.executable).with_name("uv")
    if not (uv.exists() and shutil.which("make")):
        pytest.skip("uv and make are not installed: this needs the packages of `make test`")
    index, home = tmp_path / "index", tmp_path / "home"
    (home / "scripts").mkdir(parents=True)
    index.mkdir()
    shutil.copy(ROOT / "Makefile", home)
    shutil.copy(ROOT / "scripts" / "__init__.py", home / "scripts")
    (home / "requirements-setup.lock").write_text(
        wheel(index, "uv", "1.0", script=f'#!/bin/sh\nexec {uv} "$@"\n')
    )
    lock = wheel(index, "alpha", "1.0") + wheel(index, "beta", "1.0", "alpha[fast]>=1.0", "gamma")
    (home / "requirements.lock").write_text(lock)
    wheel(index, "alpha", "2.0")
    wheel(index, "gamma", "1.0")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": os.devnull}
    offline |= {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(index), "UV_NO_CONFIG": "1"}
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "COV", "MAKE"))}
    done = subprocess.run(
        ["make", ".venv/run.stamp", f"PYTHON={sys.executable}"],
        cwd=home, env=environment | offline, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    installed = {path.name for path in (home / ".venv").glob("lib/python*/site-packages/*.dist-info")}
    assert installed == {"alpha-1.0.dist-info", "beta-1.0.dist-info"}
    assert not (home / ".venv" / "fetch").exists()


PLACES = [*((python, "x86_64-manylinux_2_28") for python in PYTHONS), (PYTHONS[-1], "aarch64-apple-darwin")]


@programs
@statistics
@pytest.mark.parametrize(("python", "machine"), PLACES[-tries(len(PLACES), 2) :])
def test_the_registry_has_a_wheel_of_every_pin(python: str, machine: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv is not installed: this needs the packages of `make test`")
    done = subprocess.run(
        [
            uv, "pip", "compile", "--quiet", "--no-deps", "--only-binary", ":all:",
            "--python-version", python, "--python-platform", machine, "--output-file", os.devnull,
            "requirements-dev.lock", "requirements-dashboard.lock", "requirements-cluster.lock",
        ],
        cwd=ROOT, env=os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode and "No solution found" not in done.stderr:
        pytest.skip("the package registry cannot be reached")
    assert done.returncode == 0, done.stderr


def start_under(version: tuple[int, int], platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    monkeypatch.setattr(sys, "platform", platform)
    runpy.run_path(str(ROOT / "scripts" / "__init__.py"))


@pytest.mark.parametrize("python", PYTHONS)
def test_supported_pythons_start(python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    major, minor = python.split(".")
    start_under((int(major), int(minor)), "linux", monkeypatch)


@pytest.mark.parametrize(
    ("version", "platform", "advice"),
    [
        ((3, 10), "linux", "this is 3.10; install one (Debian, Ubuntu: apt install python3.12 "),
        ((3, 15), "darwin", "this is 3.15; install one"),
        ((2, 7), "linux2", "this is 2.7; install one"),
        ((3, 12), "win32", "install WSL"),
    ],
)
def test_what_does_not_run_it_is_refused_in_one_line_that_says_what_does(
    version: tuple[int, int],
    platform: str,
    advice: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        start_under(version, platform, monkeypatch)
    assert stopped.value.code == 2
    output = capsys.readouterr().err
    assert advice in output
    assert output.count("\n") == 1


def test_the_check_of_the_python_is_read_by_old_pythons() -> None:
    read = ast.parse((ROOT / "scripts" / "__init__.py").read_text(), feature_version=(3, 4))
    assert any(isinstance(part, ast.If) for part in read.body)


def test_the_supported_pythons_are_the_same_wherever_they_are_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    supported = SpecifierSet(project["requires-python"])
    assert [f"3.{minor}" for minor in range(30) if f"3.{minor}" in supported] == list(PYTHONS)
    candidates = re.search(r"for name in (.*) python3;", (ROOT / "Makefile").read_text())
    assert candidates is not None
    assert candidates[1].split() == [f"python{python}" for python in PYTHONS]


def test_what_the_readme_writes_is_not_offered_to_git() -> None:
    pages = [ROOT / "README.md", *cli.ROOT.glob("docs/*.md"), *cli.ROOT.glob("scripts/*.py")]
    texts = [page.read_text() for page in pages]
    names = set(re.findall(r"--(?:report|out|json|trades) ([\w./-]+\.\w+)", "\n".join(texts)))
    assert "compare.html" in names
    git = shutil.which("git")
    if not (git and (ROOT / ".git").exists()):
        pytest.skip("this is no clone")
    done = subprocess.run(
        [git, "check-ignore", *sorted(names)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert set(done.stdout.split()) == names


@pytest.mark.unmeasured
def test_what_is_not_measured_runs_without_coverage() -> None:
    assert "coverage" not in repr(sys.gettrace())
