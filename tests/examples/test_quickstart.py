"""docs/quickstart.md is followed as its reader follows it: block by block, in an empty folder."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")


def _blocks() -> list[tuple[str, str]]:
    """(language, text) of each fenced block, in order."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def _plain(text: str) -> list[str]:
    """Lines without their figures, ids and widths."""
    return [" ".join(re.sub(r"\b[0-9a-f]{32}\b|\d[\d.,e-]*", "#", line).split()) for line in text.splitlines()]


def _missing(shown: list[str], said: list[str]) -> tuple[list[str], list[str]]:
    """The shown lines that were not said, and those before which lines are left out without a `...`."""
    missing, unmarked, at, cut = list[str](), list[str](), 0, False
    said, shown = [line for line in said if line], [line for line in shown if line]
    for line in shown:
        if line == "...":
            cut = True
            continue
        found = next((i for i in range(at, len(said)) if said[i] == line), None)
        if found is None:
            missing.append(line)
            continue
        if found > at and not cut:
            unmarked.append(line)
        at, cut = found + 1, False
    if shown and at < len(said) and not cut:
        unmarked.append("the end")
    return missing, unmarked


def _free_base() -> int:
    """The first of five free ports in a row, below those that systems give to connections; those may be taken soon."""
    for _ in range(100):
        base = secrets.randbelow(20_000) + 10_000
        if all(_free(base + more) for more in range(5)):
            return base
    raise AssertionError("no five free ports in a row")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


class Reader:
    """Somebody with two terminals and an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._base_port = _free_base()
        self._providers: subprocess.Popen[str] | None = None
        keyless = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        path = os.pathsep.join([str(Path(sys.executable).parent), keyless.get("PATH", "")])
        self._environment = {**keyless, "PATH": path, "PYTHONUTF8": "1", "COLUMNS": "80", "TERM": "dumb"}

    def write(self, text: str) -> None:
        """A file; its first line names it."""
        found = re.match(r"# (\S+\.(?:py|yaml))\n", text)
        assert found, f"which file is this? {text[:40]}"
        (self.folder / found[1]).write_text(self._with_ports(text), encoding="utf-8")

    def type(self, command: str) -> str:
        """What the command prints; that of a server up to its last line for now."""
        words = shlex.split(self._with_ports(command))
        if words[:2] == ["pip", "install"]:
            return self._would_install(words[2])
        if words[:2] == ["capability-router", "simulate"]:
            return self._serve(words)
        done = subprocess.run(  # noqa: S603 - the page's own words
            words, cwd=self.folder, capture_output=True, encoding="utf-8", timeout=240, env=self._environment
        )
        assert done.returncode == (1 if "own.yaml" in words else 0), f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def leave(self) -> None:
        """Ctrl-C in the second terminal."""
        if self._providers is not None:
            self._providers.terminate()
            self._providers.communicate(timeout=60)

    def _with_ports(self, text: str) -> str:
        """The page's ports, 8700 to 8704, may be taken here."""
        return re.sub(r"\b870(\d)\b", lambda found: str(self._base_port + int(found[1])), text)

    def _would_install(self, what: str) -> str:
        """Installing is `make`'s; here only whether the page's extras exist."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = what.removeprefix(".[").removesuffix("]").split(",")
        assert set(extras) <= set(project["optional-dependencies"])
        return ""

    def _serve(self, words: list[str]) -> str:
        self.leave()
        self._providers = subprocess.Popen(  # noqa: S603 - the page's own words
            words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8",
            env={**self._environment, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert self._providers.stdout is not None
        said = []
        for line in self._providers.stdout:
            said.append(line)
            if line.startswith("# router.yaml"):
                break
        return "".join(said)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    one = Reader(tmp_path)
    yield one
    one.leave()


def test_each_block_does_what_the_page_says(reader: Reader) -> None:
    commands = 0
    for language, text in _blocks():
        if language in ("yaml", "python"):
            reader.write(text)
            continue
        assert language == "console", f"a block that nothing runs: {text[:40]}"
        for command, shown in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            said = reader.type(command)
            missing, unmarked = _missing(_plain(shown), _plain(said))
            assert missing == [], f"{command} printed\n{said}"
            assert not unmarked, f"{command}: `...` is missing at {unmarked}; printed was\n{said}"
            commands += 1
    assert commands == PAGE.count("\n$ ")
    assert commands > 8
    assert "<svg" in (reader.folder / "report.html").read_text(encoding="utf-8")
