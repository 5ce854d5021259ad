"""Tables for a terminal of any width, with rich and without."""

from __future__ import annotations

import re
import sys

import pytest

from capability_router.cli.table import Table


def table() -> Table:
    made = Table("model", "tokens", "remark", right=(1,), flex=(2,))
    made.add("a", "1,000", "short")
    made.add("a-long-name", "7", "a remark that goes on and on [bold] and on, until it does not fit any more")
    return made


def test_columns_are_as_wide_as_their_widest_cell_and_figures_end_at_the_right():
    assert table().lines() == [
        "model        tokens  remark",
        "a             1,000  short",
        "a-long-name       7  a remark that goes on and on [bold] and on, until it does not fit any more",
    ]


@pytest.mark.parametrize("width", [40, 80])
def test_a_flexible_column_is_shortened_to_fit_and_the_others_never(width):
    lines = table().lines(width)
    assert all(len(line) <= width for line in lines)
    assert lines[2].startswith("a-long-name       7  a remark that")
    assert lines[2].endswith("…")


def test_a_width_that_is_too_small_for_all_cuts_no_name():
    assert table().lines(5)[2].startswith("a-long-name       7  ")


@pytest.mark.parametrize("installed", [True, False])
def test_on_a_terminal_rich_wraps_and_plain_columns_cut_where_it_is_missing(installed, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    if not installed:
        monkeypatch.setitem(sys.modules, "rich.table", None)
    table().show()
    told = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, told.splitlines())) <= 60
    assert ("…" in told) is not installed
    assert "[bold]" in told  # rich would take it for markup


def test_a_cell_can_not_steer_the_terminal():
    made = Table("model")
    made.add("a\x1b[2Jb\nc\r\u202ed")
    assert made.lines() == ["model", "a?[2Jb?c??d"]


def test_into_a_pipe_nothing_is_cut(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "20")
    table().show()
    assert "until it does not fit any more" in capsys.readouterr().out
