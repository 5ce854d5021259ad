"""The list of equivalent mutants and the list of rooms fit the code as it is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benchmarks.mutants import equivalents
from benchmarks.mutants.mutations import mutants
from benchmarks.mutants.rooms import ROOMS, Room
from benchmarks.mutants.trial import CORE

TESTS = Path(__file__).parents[2]
LISTED = equivalents.read()


@pytest.mark.parametrize("file", sorted({entry.file for entry in LISTED}))
def test_each_listed_mutant_is_one_of_its_file(file: str) -> None:
    made = {mutant.key for mutant in mutants(ast.parse((CORE / file).read_text(encoding="utf-8")))}
    assert [entry.key for entry in LISTED if entry.file == file and entry.key not in made] == []


def test_each_listed_mutant_is_of_a_room_that_is_tried() -> None:
    assert {entry.file for entry in LISTED} <= {room.file for room in ROOMS}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.file)
def test_each_room_and_its_tests_exist(room: Room) -> None:
    assert (CORE / room.file).is_file()
    assert [test for test in room.tests if not (TESTS / test.partition("::")[0]).exists()] == []
