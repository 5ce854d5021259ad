from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.report.decisions import attempt, decision

from capability_router.decision_log.reading import parse_log, read_log
from capability_router.errors import ConfigError
from capability_router.testing import ask, scripted_router


def test_what_a_router_writes_can_be_read(tmp_path: Path) -> None:
    log = tmp_path / "decisions.jsonl"
    router = scripted_router({"a": ["overloaded"], "b": ["ok"]}, telemetry={"jsonl": log})
    run = ask(router)
    router.feedback(run.request.id, 1.0)
    router.close()
    read = read_log(log)
    assert (read.decisions[0]["model"], read.decisions[0]["fallback"]) == ("b", True)
    assert (read.feedback[0]["score"], read.unreadable) == (1.0, 0)


def test_a_torn_line_and_foreign_ones_are_counted_and_the_rest_is_kept() -> None:
    good = json.dumps(decision(1))
    changes = ({"schema_version": 99}, {"attempts": [{"no": "model"}]}, {"at": None})
    foreign = (json.dumps({**decision(2), **change}) for change in changes)
    read = parse_log([good, "", good[:-9], '"text"', "[1]", "{}", *foreign])
    assert (len(read.decisions), read.unreadable) == (1, 7)


def test_decisions_come_in_the_order_of_their_end() -> None:
    late, early = decision(0, attempt("a", took=9)), decision(1, attempt("a", took=1))
    assert parse_log([json.dumps(late), json.dumps(early)]).decisions == [early, late]


@given(st.text())
def test_any_line_is_read_or_counted(line: str) -> None:
    read = parse_log([line])
    assert len(read.decisions) + len(read.feedback) + read.unreadable == (1 if line.strip() else 0)


def test_a_missing_file_says_where_a_log_comes_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no-such\.jsonl.*No such file.*telemetry"):
        read_log(tmp_path / "no-such.jsonl")
