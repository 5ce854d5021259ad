"""A table as text of any width and as HTML."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.drawing.table import Table, folded, printable, wide

REMARK = "a remark that goes on and on [bold] and on, until it does not fit any more"


def table() -> Table:
    rows = [("a", "1,000", "short"), ("a-long-name", "7", REMARK)]
    return Table("model", "tokens in", "remark", rows=rows, right=(1,), fold=(2,))


def test_columns_are_as_wide_as_their_widest_cell_and_figures_end_at_the_right() -> None:
    assert table().lines() == [
        "model        tokens in  remark",
        "a                1,000  short",
        f"a-long-name          7  {REMARK}",
    ]


@pytest.mark.parametrize("width", [36, 40, 80])
def test_a_folded_text_goes_on_in_the_next_line_and_nothing_of_it_is_lost(width: int) -> None:
    lines = table().lines(width)
    assert all(len(line) <= width for line in lines)
    first = next(i for i, line in enumerate(lines) if line.startswith("a-long-name"))
    at = lines[first].index("a remark")
    assert " ".join(line[at:] for line in lines[first:]) == REMARK


def test_heads_are_folded_before_a_text_is_shortened() -> None:
    made = Table("model", "tokens in", "tokens out", rows=[("anthropic/claude", "1", "2")], right=(1, 2), cut=(0,))
    assert made.lines(32) == [
        "model             tokens  tokens",
        "                      in     out",
        "anthropic/claude       1       2",
    ]


def test_a_cut_text_loses_its_middle() -> None:
    names = ("anthropic/claude-sonnet-4-5-20250929", "anthropic/claude-opus-4-5-20251101")
    made = Table("model", rows=[(name,) for name in names], cut=(0,))
    assert made.lines(20)[1:] == ["anthropic…5-20250929", "anthropic…5-20251101"]


def test_what_is_never_shortened_stays_whole_where_it_does_not_fit() -> None:
    assert Table("model", rows=[("a-long-name",)]).lines(5) == ["model", "a-long-name"]


def test_spare_columns_are_left_out_one_by_one_and_that_is_said() -> None:
    made = Table("a", "b", "c", rows=[("1" * 10, "2" * 10, "3" * 10)], spare=(2, 0))
    assert made.lines(34) == ["a           b           c", "1111111111  2222222222  3333333333"]
    assert made.lines(33) == ["a           b", "1111111111  2222222222", "(no room for: c)"]
    assert made.lines(21) == ["b", "2222222222", "(no room for: a, c)"]
    assert made.lines() == made.lines(34)


def test_wide_characters_take_two_cells() -> None:
    made = Table("tenant", "n", rows=[("東京電力", "1"), ("e\u0301a", "2"), ("acme", "3")], cut=(0,))
    assert [wide(line) for line in made.lines()] == [11, 11, 11, 11]
    assert (wide("東京電力"), wide("e\u0301a")) == (8, 2)
    assert wide(Table("t", rows=[("東京電力" * 9,)], cut=(0,)).lines(21)[1]) <= 21
    assert all(wide(line) <= 9 for line in folded("東京電力" * 9, 9))


@given(st.text(max_size=80), st.integers(2, 40))
def test_a_folded_text_keeps_every_character_but_spaces_and_fits(text: str, width: int) -> None:
    text = printable(text)
    lines = folded(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(wide(line) <= width for line in lines)


def test_a_word_is_broken_behind_a_mark_if_it_has_one() -> None:
    assert folded("accounts/fireworks/models/llama-v3p1", 20) == ["accounts/fireworks/", "models/llama-v3p1"]
    assert folded("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert folded("", 10) == [""]


def test_a_cell_can_not_steer_the_terminal() -> None:
    made = Table("mo\x1bdel")
    made.add("a\x1b[2Jb\nc\r\u202ed")
    assert made.lines() == ["mo?del", "a?[2Jb?c??d"]


class Cells(HTMLParser):
    """What a browser would show in each cell, with the cell's style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []
        self._style: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "th"):
            self._style = dict(attrs).get("style") or ""
            self.seen.append(("", self._style))

    def handle_data(self, data: str) -> None:
        text, style = self.seen.pop()
        self.seen.append((text + data, style))


def test_a_notebook_shows_every_cell_escaped_and_figures_at_the_right() -> None:
    made = Table("<b>", "n", rows=[("<script>alert('&')</script>", "7")], right=(1,))
    assert Cells(made._repr_html_()).seen == [
        ("<b>", "text-align:left;border-bottom:1px solid"), ("n", "text-align:right;border-bottom:1px solid"),
        ("<script>alert('&')</script>", "text-align:left"), ("7", "text-align:right"),
    ]  # fmt: skip


def test_without_rows_there_is_a_head() -> None:
    assert Table("a", "b", fold=(0,), spare=(1,)).lines(80) == ["a  b"]
