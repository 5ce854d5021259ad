"""The benchmark of peers, as far as it runs without them: heads of drivers, verdicts, one row of ours."""

from __future__ import annotations

import math
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.peers.cell import Cell
from benchmarks.peers.measurement import Measurement
from benchmarks.peers.peer import peers
from benchmarks.peers.row import Row, rows
from benchmarks.peers.server.acts import ACTS
from benchmarks.peers.server.answers import ARGUMENTS, text
from benchmarks.peers.verdict import judged

HALF = text("primary")[:30]


def test_every_driver_pins_what_it_installs_and_names_its_variants_once() -> None:
    found = peers()
    assert all("==" in pin for peer in found for pin in peer.dependencies)
    assert all(peer.dependencies or peer.environment == "." for peer in found)
    assert len({peer.name for peer in found}) == len(found)
    assert sum(peer.ours and not peer.only for peer in found) == 2


def test_every_row_is_an_act_of_the_server_under_a_title_of_its_own() -> None:
    assert {row.fault for row in rows()} <= set(ACTS)
    assert len({row.title for row in rows()}) == len(rows())


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        ({"text": text("primary"), "arguments": None}, "good"),
        ({"text": text("backup"), "arguments": None}, "good"),
        ({"text": HALF, "arguments": None}, "cut"),
        ({"text": "", "arguments": None}, "cut"),
        ({"text": HALF + text("backup"), "arguments": None}, "mixed"),
        ({"error": "Down: no route"}, "error"),
    ],
)
def test_what_a_request_came_to(result: dict[str, Any], verdict: str) -> None:
    assert judged(result, tool=False) == verdict


def test_a_tool_call_is_good_by_its_arguments() -> None:
    assert judged({"text": "", "arguments": ARGUMENTS}, tool=True) == "good"
    assert judged({"text": "", "arguments": {"city": "Par"}}, tool=True) == "cut"


def test_a_request_that_failed_counts_as_one_that_never_ended() -> None:
    good = {"text": text("backup"), "arguments": None, "took": 0.01, "at": 0.0}
    failed = {"error": "Down: no route", "took": 0.001, "at": 0.0}
    seen = {"primary": {"wasted": 2, "good_at": []}}
    cell = Cell.measured(Row("x", "http_500"), [good] * 18 + [failed] * 2, {"end": True}, seen)
    assert (cell.success, cell.wasted, cell.p95_s) == (0.9, 10.0, math.inf)


def test_rounds_make_one_cell() -> None:
    """Shares of all that was asked; of the times the middle one, which one slow round does not move."""
    cells = [
        Cell(success=1.0, silent=0.0, wasted=2.0, p95_s=0.02, asked=30, back_s=1.0, errors=(("Down: a", 1),)),
        Cell(success=0.5, silent=0.2, wasted=6.0, p95_s=math.inf, asked=10, note="hung", errors=(("Down: a", 5),)),
        Cell(success=1.0, silent=0.0, wasted=2.0, p95_s=0.03, asked=40, back_s=0.5, errors=(("Late: b", 2),)),
    ]
    one = Cell.of_rounds(cells)
    assert (one.success, one.silent, one.wasted) == pytest.approx((75 / 80, 2 / 80, 200 / 80))
    assert (one.p95_s, one.asked, one.back_s, one.note) == (0.03, 80, 1.0, "hung")
    assert one.errors == (("Down: a", 6), ("Late: b", 2))
    assert Cell.of_rounds(cells[:1]) == cells[0]
    assert Cell.of_rounds([replace(cells[0], wasted=None, back_s=None)]).wasted is None


def test_every_peer_has_its_turn_in_each_round() -> None:
    ours = [replace(peer, environment=".") for peer in peers() if peer.name == "ours: endpoint"]
    measurement = Measurement(ours, seed=1, seconds=20.0, scale=1.0, log=subprocess.DEVNULL, rounds=3)
    try:
        [(_, _, cell)] = list(measurement.run([Row("500", "http_500", requests=8)]))
    finally:
        measurement.stop()
    assert (cell.asked, cell.wasted) == (24, 25.0)  # two calls in each round: it begins anew


@pytest.mark.parametrize(
    "row", [Row("HTML", "html", requests=8), Row("cut", "clean_before", streamed=True, requests=8)]
)
def test_a_row_of_ours(row: Row) -> None:
    ours = [replace(peer, environment=".") for peer in peers() if peer.ours and not peer.only]
    measurement = Measurement(ours, seed=1, seconds=20.0, scale=1.0, log=subprocess.DEVNULL)
    try:
        cells = [cell for _, _, cell in measurement.run([row])]
    finally:
        measurement.stop()
    assert [(cell.success, cell.wasted, cell.asked) for cell in cells] == [(1.0, 25.0, 8)] * 2
