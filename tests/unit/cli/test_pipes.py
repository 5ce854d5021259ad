"""Logs that come through a pipe, and pages that go into one."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from unit.replay.logs import write

from capability_router import Request
from capability_router.cli.main import main

DEAR = {"name": "rules", "rules": [{"then": ["large"]}]}
pytestmark = pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="this system has no /dev/stdin")


@pytest.fixture
def log(tmp_path: Path) -> bytes:
    requests = [Request((f"hello {n}",), id=f"{n:032}") for n in range(300)]
    return write(tmp_path / "decisions.jsonl", requests, policy=DEAR).read_bytes()


def piped(given: bytes, *words: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from capability_router.cli.main import main; main()", *words]
    return subprocess.run(command, input=given, capture_output=True, cwd=folder, check=False)  # noqa: S603 - this package's own command


@pytest.mark.parametrize("packed", [False, True])
def test_a_dash_is_standard_input(log: bytes, tmp_path: Path, packed: bool) -> None:
    given = gzip.compress(log) if packed else log
    found = piped(given, "report", "-", "--json", folder=tmp_path)
    assert (found.returncode, json.loads(found.stdout)["requests"]) == (0, 300)
    found = piped(given, "replay", "-", "--policy", "cheapest", "--json", folder=tmp_path)
    assert (found.returncode, json.loads(found.stdout)["requests"]) == (0, 300)
    found = piped(given, "train", "-", folder=tmp_path)
    assert (found.returncode, "300 × decisions without feedback".encode() in found.stderr) == (3, True), found


def test_what_a_shell_gives_for_a_command_is_read(log: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """`replay <(zcat old.gz)`: a name of a pipe."""
    reader, writer = os.pipe()

    def fill() -> None:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(log)

    thread = Thread(target=fill)
    thread.start()
    main(["replay", f"/dev/fd/{reader}", "--policy", "cheapest", "--json"], standalone_mode=False)
    thread.join()
    os.close(reader)
    assert json.loads(capsys.readouterr().out)["requests"] == 300


def test_a_page_to_standard_output_is_nothing_but_the_page(log: bytes, tmp_path: Path) -> None:
    found = piped(log, "report", "-", "-o", "-", folder=tmp_path)
    assert found.stdout.startswith(b"<!DOCTYPE html>")
    assert found.stdout.rstrip().endswith(b"</html>")
    assert not (tmp_path / "-").exists()


WRITING = [
    ("report", "-", "--json"), ("report", "-", "-o", "-"), ("tail", "decisions.jsonl"), ("--help",), ("--version",),
    ("train", "--help"),
]  # fmt: skip


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", WRITING)
def test_an_output_that_takes_no_more_is_told_in_a_line(log: bytes, tmp_path: Path, words: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", "from capability_router.cli.main import main; main()", *words]
    with open("/dev/full", "wb") as full:
        found = subprocess.run(command, input=log, stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, check=False)  # noqa: S603 - as above
    assert (found.returncode, found.stderr.decode().splitlines()) == (
        1, ["Error: cannot write all of the output: No space left on device"],
    )  # fmt: skip
