"""What a command prints at a terminal, with rich and without, and into a pipe."""

from __future__ import annotations

import re
import sys

import pytest

from capability_router.cli import terminal
from capability_router.cli.progress import progress
from capability_router.drawing.table import Table

LONG = "a remark that goes on and on [bold] and on :smile:, until it does not fit any more"


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    terminal.show(Table("model", "remark", rows=[("a-long-name", LONG)], fold=(1,)))
    terminal.tell(LONG)
    return capsys.readouterr().out


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_terminal_s_width_is_kept_with_rich_as_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with_rich = shown(capsys)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    without = shown(capsys)
    assert "\x1b[1m" in with_rich
    assert "\x1b" not in without
    assert plain(with_rich) == without
    assert max(map(len, without.splitlines())) <= 60
    words = " ".join(without.split())
    assert words.count("[bold]") == words.count(":smile:") == 2  # rich would take them for its own


def test_into_a_pipe_nothing_is_shortened(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert shown(capsys).splitlines()[1:] == [f"a-long-name  {LONG}", LONG]


def test_a_pipe_has_the_width_that_columns_states(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(len, shown(capsys).splitlines())) <= 40
    for none in ("0", "", "wide"):
        monkeypatch.setenv("COLUMNS", none)
        assert LONG in shown(capsys)


def test_a_command_may_have_no_output_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """`capability-router check >&-`, a service without streams: Python then has None for them."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal.width() is None
    terminal.show(Table("model", rows=[("a",)]))
    terminal.tell(LONG)
    with progress(3, "reading") as advanced:
        advanced(3)
