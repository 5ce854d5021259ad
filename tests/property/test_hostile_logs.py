"""Whatever is in a log: `report`, `report --trials` and `tail` read it as far as it goes and count the rest."""

from __future__ import annotations

import copy
import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.report.decisions import BEGAN, attempt, decision
from unit.report.outline import Outline

from capability_router.cli.main import main
from capability_router.decision_log.lines import GZIP
from capability_router.decision_log.reading import DecisionLogReader
from capability_router.decision_log.record_validation import flaw
from capability_router.decision_log.tail import LONGEST
from capability_router.report.page import page

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
PATH = "/proc/self/environ"


def _plan(**more: Any) -> dict[str, Any]:
    names = {"a/one": (0.9, 0.002), "b/two": (0.7, 0.0001), "c/three": (0.95, 0.01)}
    candidates = [
        {"id": id, "quality": quality, "cost_usd": usd, "fallback_usd": 0.0, "latency_s": 1.0, "held": ""}
        for id, (quality, usd) in names.items()
    ]
    refusals = [{"model": "d/four", "rule": "context_window", "detail": "too long"}]
    return {
        "task": "chat", "candidates": candidates, "refusals": refusals, "settings": {"quality_target": 0.8}, **more,
    }  # fmt: skip


def _line(kind: str, **more: Any) -> dict[str, Any]:
    return {"schema_version": 1, "kind": kind, "at": BEGAN + 9, "request_id": "id-1", **more}


PRICES = {"a/one": {"input_mtok": 1, "output_mtok": 2}, "c/three": {"input_mtok": 9, "output_mtok": 9}}
SHADOW = {"policy": "cheapest", "chosen": "b/two", "differs": True, "quality": 0.7, "cost_usd": 1e-4, "latency_s": 1.0}
SOUND: list[dict[str, Any]] = [
    decision(1, attempt("a/one", pico=10**9), plan=_plan(), basis={"registry": "x", "prices": PRICES}, tags=["t"]),
    decision(2, attempt("a/one", "connection"), attempt("b/two", start=1, pico=5), plan=_plan(), canary=True),
    decision(3, attempt("a/one", "timeout"), plan=_plan(), canary=False, ttft_s=None),
    decision(4, attempt("a/one", pico=7), plan=_plan(), shadow=SHADOW, session="s", request_id="id-1"),
    _line("feedback", model="a/one", score=1.0, source="user"),
    _line("shadow", elapsed_s=1.0, model="b/two", policy="cheapest", cost_pico=3, attempts=[attempt("b/two")]),
    _line("shadow_score", shadow_id="s-1", score=0.5, source="evaluator"),
    _line("sign", model="a/one", sign="retried", weight=0.5),
    {**_line("health", router="r", model="a/one", event="breaker_opened", detail="5 in a row"), "request_id": None},
]  # fmt: skip


def _deep(levels: int = 200) -> Any:
    made: Any = 1
    for level in range(levels):
        made = [made] if level % 2 else {"in": made}
    return made


NUMBERS = [
    0, -1, 1, 2.5, -0.0, 1e-320, 10**30, -(10**30), 10**400, 1e308, float("nan"), float("inf"), float("-inf"),
    253_402_300_799, 4_102_444_800, 1e15, True,
]  # fmt: skip
ODD = st.one_of(
    st.sampled_from([*NUMBERS, EVIL, PATH, "", "x" * 5_000, "\x00", "\ud83d", "\u202e\x1b[2J", "a/one", None, [], {}]),
    st.sampled_from([[None], [EVIL], {"model": EVIL}, [{"model": "m"}], [{"id": EVIL}], {EVIL: EVIL}, {EVIL: {}}, 1.0]),
    st.builds(_deep), st.text(max_size=20), st.integers(), st.floats(),
)  # fmt: skip


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from _places(value[key])


@st.composite
def records(draw: Callable[..., Any]) -> dict[str, Any]:
    """A sound record with some of its values gone, or others in their place."""
    record = copy.deepcopy(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(record))
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        if draw(st.booleans()) and draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = copy.deepcopy(draw(ODD))
    return record


@st.composite
def logs(draw: Callable[..., Any]) -> bytes:
    """Lines of records and of rubbish, perhaps damaged as a whole, perhaps compressed."""
    rubbish = st.sampled_from([
        b"", b"\0" * 20, b"\xff\xfe{}", b"[" * 100_000, b"{}", b"null", b'"x"', b"NaN", b"1" * 6_000, b"\xef\xbb\xbf{}",
    ])  # fmt: skip
    sound = records().map(lambda record: json.dumps(record).encode())
    torn = st.tuples(sound, st.integers(0, 400)).map(lambda pair: pair[0][: pair[1]])
    mixed = records().map(lambda record: json.dumps({**record, "schema_version": 2}).encode())
    kinds = st.one_of(sound, sound, sound, torn, mixed, rubbish)
    whole = b"\n".join(draw(st.lists(kinds, min_size=1, max_size=8))) + draw(st.sampled_from([b"\n", b""]))
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(whole)))
        whole = whole[:at] + draw(st.binary(max_size=8)) + whole[at:]
    if draw(st.integers(0, 4)) == 0:
        whole = gzip.compress(whole, mtime=0)
        whole = whole[: len(whole) - draw(st.sampled_from([0, 0, 1, 9, 40]))]
    return whole


QUIET = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@QUIET
@given(logs())
def test_the_commands_read_any_log_as_far_as_it_goes(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        log, out, again = (Path(folder) / name for name in ("log.jsonl", "1.html", "2.html"))
        log.write_bytes(content)
        for target in (out, again):
            _run("report", str(log), "-o", str(target))
        source = out.read_text(encoding="utf-8")
        assert source == again.read_text(encoding="utf-8")
        _unharmed(source)
        for words in (["--json"], ["--trials", "--json"]):
            json.loads(_run("report", str(log), *words), parse_constant=_no_number)
        _printable(_run("report", str(log), "--trials"))
        if content.startswith(GZIP):
            return  # which nobody can follow, so `tail` says so
        _printable(_run("tail", str(log), "--no-follow"))
        for line in _run("tail", str(log), "--no-follow", "--json").splitlines():
            assert flaw(json.loads(line)) is None


def _printable(shown: str) -> None:
    assert all(char.isprintable() or char == "\n" for char in shown)


def _no_number(word: str) -> None:
    raise AssertionError(word)


def _run(*words: str) -> str:
    result = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def _unharmed(source: str) -> None:
    outline = Outline(source)
    assert not {tag for tag, _ in outline.tags} & {"script", "img", "b", "a", "iframe"}
    assert not [name for _, attrs in outline.tags for name in attrs if name.startswith("on") or name in ("src", "href")]
    shown = " ".join(outline.said).lower()
    assert " nan" not in shown
    assert " inf " not in shown


@QUIET
@given(st.lists(records(), max_size=6))
def test_every_line_is_a_record_or_counted(found: list[dict[str, Any]]) -> None:
    reading = DecisionLogReader()
    kept = list(reading.records(json.dumps(record) for record in found))
    assert len(kept) + reading.omitted.total() == len(found)
    assert all(flaw(record) is None for record in kept)
    assert not any(EVIL in reason or PATH in reason for reason in reading.omitted), "reasons are words of ours"


@QUIET
@given(st.lists(records(), max_size=6))
def test_the_page_takes_records_from_anywhere(found: list[dict[str, Any]]) -> None:
    _unharmed(page(found, title=EVIL, note=EVIL, against={EVIL: found}))


def test_the_sound_records_are_sound() -> None:
    assert [flaw(record) for record in SOUND] == [None] * len(SOUND)


@pytest.mark.parametrize("field", ["tenant", "task", "chain", "reason", "policy", "framework", "tags", "request_id"])
def test_markup_in_any_text_is_shown_as_it_is(field: str) -> None:
    value: Any = [EVIL] if field == "tags" else EVIL
    source = page([{**SOUND[0], field: value}])
    _unharmed(source)
    assert field in ("framework", "request_id") or "&lt;script&gt;" in source


def test_no_path_that_a_log_gives_is_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("private", encoding="utf-8")
    log = tmp_path / "log.jsonl"
    paths = (str(secret), secret.as_uri())
    told = [{**SOUND[0], **dict.fromkeys(("tenant", "reason", "chain"), each), "request_id": each} for each in paths]
    log.write_text("\n".join(map(json.dumps, told)), encoding="utf-8")
    opened = list[str]()
    watching = [True]
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" and watching else None)
    for words in (["report", str(log), "-o", str(tmp_path / "r.html")], ["tail", str(log), "--no-follow"]):
        assert CliRunner().invoke(main, words).exit_code == 0
    watching.clear()
    assert str(log) in opened
    assert str(secret) not in opened


def test_a_line_beyond_all_bounds_is_left_out_and_the_next_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    sound = json.dumps(SOUND[0]).encode()
    log.write_bytes(b'"' + b"x" * (2 * LONGEST) + b'"\n' + sound + b"\n")
    result = CliRunner().invoke(main, ["report", str(log), "-o", str(tmp_path / "r.html")])
    assert "1 requests" in result.stdout
    assert "1 × longer than 16 MB" in result.stderr
    assert "longer than 16 MB" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_crash_that_left_nuls_costs_no_line_but_the_torn_one(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    first, second = (json.dumps(record).encode() for record in SOUND[:2])
    log.write_bytes(first + b"\n" + second[:50] + b"\n" + b"\0" * 512 + second + b"\n")
    result = CliRunner().invoke(main, ["report", str(log), "-o", str(tmp_path / "r.html")])
    assert "2 requests" in result.stdout
    assert "1 × no JSON" in result.stderr
