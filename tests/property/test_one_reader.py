"""Whoever reads a decision log reads the same: as many decisions, as many lines left out, for the same reasons."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

pytest.importorskip("numpy", reason="train looks at what it reads with numpy (the extra `learn`)")

from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from property.test_hostile_logs import SOUND, records
from unit.replay.logs import candidate
from unit.replay.logs import decision as replayable
from unit.report.decisions import BEGAN, attempt, decision

from capability_router.cli.main import main
from capability_router.decision_log.file_order import files_of
from capability_router.decision_log.reading import DecisionLogReader, omissions_text
from capability_router.errors import ConfigError
from capability_router.learning.logs.decision_rows import SAME_ID
from capability_router.learning.logs.training_log import read as train_read
from capability_router.rehearsal.traffic.logged import logged
from capability_router.replay.log.replay_log import read as replay_read
from capability_router.report.data import ReportData

NEWEST = "log.jsonl"
NO_REPLAY = ("decisions ", "scores of requests that are not in the log")
RUBBISH = [
    b"{}", b"null", b'"x"', b"NaN", b"[1, 2", b"\xff\xfe{}", b"\0" * 20, b" ", b"[" * 50_000,
    b'{"schema_version": 1, "kind": "invoice"}', b'{"schema_version": 1, "kind": "feedback"}',
]  # fmt: skip
SCORES = [
    {"schema_version": 1, "kind": "feedback", "at": BEGAN + at, "request_id": f"r{n}", "score": score, "source": who}
    for n in (1, 2) for at in (50, 60) for score, who in ((0.0, "user"), (1.0, "evaluator"))
]  # fmt: skip
AGAIN = [replayable(n, [candidate("a"), candidate("b")]) for n in (1, 2)]


class Counts(NamedTuple):
    """What a reader says of a log."""

    decisions: int
    omitted: dict[str, int]


@st.composite
def files(draw: Callable[..., Any], most: int = 3) -> dict[str, bytes]:
    """A log of one file or of several that follow one another; lines come again, in another file too."""
    sound = st.sampled_from([*SOUND, *SCORES, *AGAIN]).map(json.dumps).map(str.encode)
    changed = records().map(json.dumps).map(str.encode)
    torn = st.tuples(sound, st.integers(1, 200)).map(lambda pair: pair[0][: pair[1]])
    nul = sound.map(lambda line: b"\0" * 9 + line)
    line = st.one_of(sound, sound, changed, changed, torn, nul, st.sampled_from(RUBBISH))
    made = {}
    for number in reversed(range(draw(st.integers(1, most)))):
        first = json.dumps(decision(1_000 - number, attempt("a/one", pico=3))).encode()
        whole = b"\n".join([first, *draw(st.lists(line, max_size=9))]) + draw(st.sampled_from([b"", b"\n"]))
        made[f"{NEWEST}.{number}" if number else NEWEST] = whole
    return made


QUIET = settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@QUIET
@given(files())
def test_report_trials_replay_rehearsal_and_train_say_the_same(made: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        log = written(Path(folder), made)
        expected = plainly(Path(folder) / name for name in made)
        assert {name: read(log) for name, read in READERS.items()} == dict.fromkeys(READERS, expected)
        assert trials(log) == omissions_text(expected.omitted)


@QUIET
@given(files(most=1))
def test_tail_says_the_same_of_a_file(made: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        log = written(Path(folder), made)
        shown = CliRunner().invoke(main, ["tail", str(log), "-n", "1000", "--no-follow", "--json"])
        expected = plainly([log])
        assert shown.stdout.count("\n") == expected.decisions  # a name may hold what `splitlines` takes for an end
        assert shown.stderr.rpartition(f"{log}: ")[2].strip() == omissions_text(expected.omitted)


@QUIET
@given(files(), st.sampled_from([0, 1, 9, 60, 400]))
def test_a_compressed_file_that_breaks_off_is_the_same_for_all(made: dict[str, bytes], lost: int) -> None:
    packed = gzip.compress(made[NEWEST], mtime=0)
    with TemporaryDirectory() as folder:
        log = written(Path(folder), {**made, NEWEST: packed[: max(len(packed) - lost, 30)]})
        expected = plainly(Path(folder) / name for name in made)
        assert {name: read(log) for name, read in READERS.items()} == dict.fromkeys(READERS, expected)


@QUIET
@given(files())
def test_the_score_of_a_request_is_the_same_for_all(made: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        log = written(Path(folder), made)
        found = files_of([log])
        page, again = gathered(log).scores, replay_read(found).scores
        learned = {row.id: {answer.score for answer in row.answers.values()} for row in train_read(found).rows}
        for id, score in again.items():
            assert page[id] == score
            assert id not in learned or score in learned[id]


def written(folder: Path, made: dict[str, bytes]) -> Path:
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return folder / NEWEST


def plainly(paths: Iterable[Path]) -> Counts:
    """The files in the order in which they were written."""
    reading = DecisionLogReader()
    kinds = Counter(record["kind"] for record in reading.files(paths))
    return Counts(kinds["decision"], dict(reading.omitted))


def gathered(log: Path) -> ReportData:
    reading = DecisionLogReader()
    traffic = ReportData(reading.omitted)
    for record in reading.files(files_of([log])):
        traffic.take(record)
    return traffic.sorted()


def report(log: Path) -> Counts:
    found = json.loads(CliRunner().invoke(main, ["report", str(log), "--json"], catch_exceptions=False).stdout)
    return Counts(found["requests"], found["omitted"])


def trials(log: Path) -> str:
    found = CliRunner().invoke(main, ["report", str(log), "--trials", "--json"], catch_exceptions=False)
    return found.stderr.rpartition(f"{log}: ")[2].strip()


def replay(log: Path) -> Counts:
    """Decisions that can't be decided again are decisions."""
    found = replay_read(files_of([log]))
    own = {reason: count for reason, count in found.omissions if reason.startswith(NO_REPLAY)}
    beyond = sum(count for reason, count in own.items() if reason.startswith("decisions "))
    return Counts(len(found.decisions) + beyond, {r: n for r, n in found.omissions if r not in own})


def rehearsal(log: Path) -> Counts:
    """Its note is the same sentence."""
    expected = plainly(files_of([log])).omitted
    try:
        found = logged(log)
    except ConfigError as error:
        return Counts(
            0, expected if f"no decision in it ({omissions_text(expected)})" in str(error) else {str(error): 1}
        )
    notes = [note for note in found.notes if "left out" in note]
    assert notes == ([f"{log.name}: {omissions_text(expected)}"] if expected else [])
    return Counts(len(found.shapes), expected)


def train(log: Path) -> Counts:
    """Which has no use for decisions that nobody scored."""
    found = train_read(files_of([log]))
    own = {
        "decisions without an answer", "decisions without feedback", SAME_ID,
        "feedback without a decision", "calls of shadows without an answer", "calls of shadows that nobody scored",
        "scores of shadows' calls that are not there", "scores of shadows' answers without a decision",
        "implicit signs of no known kind", "implicit signs without their decision",
    }  # fmt: skip
    told = dict(found.omissions)
    omitted = {reason: count for reason, count in told.items() if reason not in own}
    unused = ("decisions without an answer", "decisions without feedback", SAME_ID)
    decisions = len(found.rows) + sum(told.get(reason, 0) for reason in unused)
    return Counts(decisions, omitted)


READERS: dict[str, Callable[[Path], Counts]] = {
    "report": report, "replay": replay, "rehearsal": rehearsal, "train": train,
}  # fmt: skip
