"""`capability-router train` as a person and a script meet it."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("numpy", reason="train needs numpy (the extra `learn`)")

from unit.learning.comparison.made_up import HARD, one_each, outcomes

from capability_router import Price, Request, routing
from capability_router.cli.main import main
from capability_router.learning.quality.state import loaded
from capability_router.testing import ask, scripted_router

MODELS = (("a", 0), ("b", -1))  # a fails at a third, b at nothing
DATA = Path(os.environ.get("ROUTING_SHARED", Path(__file__).parents[3].parent / "shared")) / "data" / "routing"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, words)])


def logged(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def paying(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return logged(tmp_path_factory.mktemp("logs") / "paying.jsonl", outcomes(400, pays=True))


def test_where_routing_pays_the_state_routes(paying: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    found = run(paying, "-o", state)
    assert found.exit_code == 0, found.output
    assert "=> Routing pays: +" in found.output
    assert f"{state}: learned from 400 requests" in found.output
    cards = {"strong": {"price": Price(50, 100)}, "weak": {"price": Price(5, 10)}}
    policy = {"name": "adaptive", "state": str(state)}
    router = scripted_router({"strong": ["x"], "weak": ["x"]}, cards=cards, policy=policy)
    picks = [router.explain(Request((f"{what} of Ann 7",))).chosen.id for what in (HARD[0], "greet the guest")]
    assert picks == ["strong", "weak"]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("helpfull", "--key: no run has feedback 'helpfull'; did you mean 'helpful'?"),
        ("zzz", "--key: no run has feedback 'zzz'; known: correct, helpful"),
    ],
)
def test_a_feedback_that_no_run_has_is_told(tmp_path: Path, key: str, told: str) -> None:
    stats = {"correct": {"avg": 1}, "helpful": {"avg": 0}}
    runs = [{"run_type": "llm", "id": f"{n}", "feedback_stats": stats} for n in range(3)]
    found = run(logged(tmp_path / "runs.jsonl", runs), "--key", key)
    assert (found.exit_code, found.stderr.strip()) == (1, f"Error: {told}")


def test_the_kind_of_feedback_of_logs_that_have_none_is_told(paying: Path) -> None:
    found = run(paying, "--key", "helpful")
    assert found.exit_code == 1
    assert "--key selects among several kinds of LangSmith feedback, and the logs have none" in found.stderr
    assert "leave it out" in found.stderr


def test_grades_of_another_scale_are_not_judged_by_their_zeros_and_ones(tmp_path: Path) -> None:
    """A score of 0 or 1 would pass, and a model that never fails would seem to have no score."""
    grades = [{"id": f"{n}", "model": m, "score": 100 * (n % 3 > least)} for n in range(60) for m, least in MODELS]
    found = run(logged(tmp_path / "log.jsonl", grades))
    assert found.exit_code == 1
    assert "100 scores in the logs are outside 0 to 1, 20 are from 0 to 1: nothing" in found.stderr
    few = [{**grade, "score": int(grade["score"] > 0)} for grade in grades]
    assert run(logged(tmp_path / "log.jsonl", [*few, {"model": "a", "score": 7}])).exit_code in {0, 3}


def test_thumbs_up_and_down_are_not_judged_by_those_that_are_up(tmp_path: Path) -> None:
    """+1 is a score and -1 is none: what is left would say that every model is always right."""
    thumbs = [{"id": f"{n}", "model": m, "score": 1 if n % 5 else -1} for n in range(60) for m, _ in MODELS]
    found = run(logged(tmp_path / "log.jsonl", thumbs))
    assert found.exit_code == 1
    assert "24 scores in the logs are outside 0 to 1, 96 are from 0 to 1" in found.stderr
    assert "+1 and -1 to 1 and 0" in found.stderr
    stray = [{**told, "score": max(told["score"], 0)} for told in thumbs]
    stray[0]["score"] = -1
    found = run(logged(tmp_path / "log.jsonl", stray))
    assert found.exit_code == 3
    assert "left out: 1 × scores outside 0 to 1" in found.stderr


def test_answers_without_a_score_may_be_most_of_a_table(tmp_path: Path) -> None:
    rows = outcomes(300, pays=True)
    unscored = [{"id": f"u{n}", "prompt": "p", "model": "weak", "score": None} for n in range(900)]
    found = run(logged(tmp_path / "log.jsonl", rows + unscored))
    assert found.exit_code == 0, found.output
    assert "left out: 900 × answers without a score" in found.stderr


def test_the_table_has_each_figure_with_its_error(paying: Path) -> None:
    found = run(paying)
    head = next(line for line in found.output.splitlines() if "learned" in line).split("  ")
    assert [cell.strip() for cell in head if cell.strip()] == ["learned", "best fixed", "cheapest", "random", "length"]
    for name in ("APGR", "CPT 50 %", "CPT 80 %", "gap closed", "cost saved", "gain", "ECE"):
        line = next(line for line in found.output.splitlines() if line.startswith(name))
        assert line.count("±") >= 1, line
    assert "best fixed: strong" in found.output


def test_where_it_does_not_pay_the_model_is_named_and_nothing_written(tmp_path: Path) -> None:
    log, state = logged(tmp_path / "log.jsonl", outcomes(300, pays=False)), tmp_path / "state.json"
    found = run(log, "-o", state)
    assert found.exit_code == 3
    assert "=> Use strong always: no gain beyond one standard error" in found.output
    assert not state.exists()
    assert run(log, "-o", state, "--anyway").exit_code == 3
    assert loaded(state.read_text(encoding="utf-8")).scored == 300


def test_a_log_of_live_traffic_with_hashed_words(tmp_path: Path) -> None:
    """Decisions and feedback as routers write them, one model per request."""
    rows = one_each(outcomes(600, pays=True))
    telemetry = {"jsonl": str(tmp_path / "log.jsonl"), "hashed_words": True}
    cards = {
        "strong": {"price": {"input_mtok": 10, "output_mtok": 10}},
        "weak": {"price": {"input_mtok": 1, "output_mtok": 1}},
    }
    router = scripted_router({"strong": ["x"] * 600, "weak": ["x"] * 600}, cards=cards, telemetry=telemetry)
    for number, row in enumerate(rows):
        ((model, outcome),) = row["outcomes"].items()
        with routing(pin=model):
            finished = ask(router, Request((row["prompt"],), id=f"r{number}"))  # by the ids it is parted into folds
        router.feedback(finished.outcome.request_id, score=outcome["score"])
    router.close()
    found = run(tmp_path / "log.jsonl", "--json")
    told = json.loads(found.stdout)
    (group,) = told["groups"]
    assert (found.exit_code, told["requests"], told["left_out"], group["every_model_asked"]) == (0, 600, [], False)
    assert group["figures"]["learned"]["apgr"]["value"] > 0.65
    assert "theorem" not in (tmp_path / "log.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize(("rows", "told"), [
    ([], "Nothing to learn from"),
    (outcomes(20, pays=True), "=> Use strong always: 20 scored requests; at least 50 are needed"),
    ([{**row, "outcomes": {"weak": row["outcomes"]["weak"]}} for row in outcomes(60, pays=True)],
     "=> Use weak always: the logs hold outcomes of no other model"),
])  # fmt: skip
def test_too_little_is_told_without_a_table(tmp_path: Path, rows: list[dict[str, Any]], told: str) -> None:
    found = run(logged(tmp_path / "log.jsonl", rows), "-o", tmp_path / "state.json")
    assert (found.exit_code, "APGR" in found.output) == (3, False)
    assert told in found.output
    assert not (tmp_path / "state.json").exists()


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    log = logged(tmp_path / "log.jsonl", outcomes(10, pays=True))
    with log.open("a", encoding="utf-8") as file:
        file.write('{"id": "torn", "outco')
    found = run(log)
    assert "left out: 1 × no JSON" in found.stderr


@pytest.mark.parametrize("option", ["-o", "--plot"])
def test_a_file_of_another_kind_is_not_written_over(paying: Path, tmp_path: Path, option: str) -> None:
    precious = logged(tmp_path / "precious.json", [{"keep": "me"}])
    found = run(paying, option, precious)
    assert (found.exit_code, "left as it is" in found.output) == (1, True)
    assert json.loads(precious.read_text(encoding="utf-8")) == {"keep": "me"}
    assert run(paying, option, paying).exit_code == 1
    assert run(paying, option, tmp_path / "no" / "folder").exit_code == 1


def test_an_older_state_is_replaced_whole(paying: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    few = logged(tmp_path / "few.jsonl", outcomes(60, pays=True, seed=5))
    run(few, "-o", state, "--anyway")
    assert loaded(state.read_text(encoding="utf-8")).scored == 60
    assert run(paying, "-o", state).exit_code == 0
    assert loaded(state.read_text(encoding="utf-8")).scored == 400
    assert sorted(p.name for p in tmp_path.iterdir()) == ["few.jsonl", "state.json"]


def test_a_state_is_its_owner_s_and_stays_where_a_link_leads(paying: Path, tmp_path: Path) -> None:
    state, link = tmp_path / "state.json", tmp_path / "link.json"
    link.symlink_to(state)
    assert run(paying, "-o", link).exit_code == 0
    assert (link.is_symlink(), state.stat().st_mode & 0o777) == (True, 0o600)
    state.chmod(0o640)
    assert run(paying, "-o", state).exit_code == 0
    assert state.stat().st_mode & 0o777 == 0o640, "whoever might read the old one may read the new one"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_or_a_device_is_written_and_not_replaced(paying: Path, tmp_path: Path) -> None:
    """`-o /dev/null` of an administrator would put a file in the place of the device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run(paying, "--plot", pipe).exit_code == 0
        assert (pipe.is_fifo(), os.read(reader, 4)) == (True, b"<svg")
    finally:
        os.close(reader)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="this system has no names for open files")
def test_a_pipe_of_the_shell_is_written(paying: Path) -> None:
    """`--plot >(...)` and `--plot /dev/stdout` name a pipe that has no name of its own."""
    reader, writer = os.pipe()
    try:
        found = run(paying, "--plot", f"/dev/fd/{writer}")
        assert (found.exit_code, found.stderr) == (0, "")
        assert os.read(reader, 4) == b"<svg"
    finally:
        os.close(reader)
        os.close(writer)


def test_the_drawing_does_not_take_the_place_of_the_state(paying: Path, tmp_path: Path) -> None:
    found = run(paying, "-o", tmp_path / "new", "--plot", tmp_path / "." / "new")
    assert (found.exit_code, "would take the place of the state" in found.stderr) == (1, True)
    assert not (tmp_path / "new").exists()


def test_an_error_that_is_nothing_beside_its_value_is_not_shown(paying: Path) -> None:
    """Each request of `paying` costs the same at one model: 1 ± 3.3e-16 is rounding."""
    found = run(paying).stdout
    line = next(line for line in found.splitlines() if line.startswith("USD per 1,000"))
    assert "e-" not in line, line


def test_groups_are_learned_from_together_or_each_by_itself(tmp_path: Path) -> None:
    rows = [{**row, "dataset": "good one"} for row in outcomes(400, pays=True)]
    rows += [{**row, "dataset": "bad"} for row in outcomes(200, pays=False, seed=1)]
    log, state = logged(tmp_path / "log.jsonl", rows), tmp_path / "state.json"
    together = run(log, "-o", state)
    assert "--each learns from each by itself" in together.output
    assert loaded(state.read_text(encoding="utf-8")).scored == 600
    each = run(log, "-o", state, "--each", "--json")
    told = json.loads(each.stdout)
    assert [(group["group"], group["verdict"]["routes"]) for group in told["groups"]] == [
        ("good one", True),
        ("bad", False),
    ]
    assert told["states"] == [str(tmp_path / "state.good-one.json")]
    assert loaded((tmp_path / "state.good-one.json").read_text(encoding="utf-8")).scored == 400


def test_the_drawing_is_a_file_of_its_own_with_hostile_names_escaped(tmp_path: Path) -> None:
    rows = [
        {**row, "outcomes": {"<script>": row["outcomes"]["weak"], "st&rong": row["outcomes"]["strong"]}}
        for row in outcomes(300, pays=True)
    ]
    plot = tmp_path / "plot.svg"
    assert run(logged(tmp_path / "log.jsonl", rows), "--plot", plot).exit_code == 0
    root = ElementTree.fromstring(plot.read_text(encoding="utf-8"))  # noqa: S314 - written by the command just now
    words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"<script>", "st&rong", "learned router"} <= set(words)
    learned, mixed = (
        next(n for n in root.iter("{http://www.w3.org/2000/svg}polyline") if n.get("class") == c)
        for c in ("learned", "mixed")
    )
    highest = [min(float(point.split(",")[1]) for point in n.get("points", "").split()) for n in (learned, mixed)]
    assert highest[0] < highest[1]  # up is down in SVG: routing reaches above what mixing does
    assert run(logged(tmp_path / "log.jsonl", rows), "--plot", plot).exit_code == 0  # over the older drawing


@pytest.mark.skipif(not DATA.is_dir(), reason=f"NOT MEASURED: no recorded outcomes in {DATA}")
def test_on_recorded_outcomes_of_real_models(tmp_path: Path) -> None:
    """A part of each of two sets, of which one is known to be worth routing."""
    for name, size in (("llmrouter_uiuc", 1_500), ("llmdrift", 400)):
        with gzip.open(DATA / f"{name}.train.jsonl.gz", "rt", encoding="utf-8") as lines:
            (tmp_path / f"{name}.jsonl").write_text("".join(line for line, _ in zip(lines, range(size), strict=False)))
        found = run(tmp_path / f"{name}.jsonl", "--folds", "3", "--json")
        (group,) = json.loads(found.stdout)["groups"]
        learned, chance = group["figures"]["learned"], group["figures"]["random"]
        assert learned["apgr"]["value"] > chance["apgr"]["value"] + 2 * learned["apgr"]["error"]
        assert learned["gap"]["value"] > 0.05
        assert learned["ece"]["value"] < 0.05
        assert (found.exit_code, group["verdict"]["reason"]) == (0, "gain")


def test_without_costs_nothing_is_drawn_and_that_is_told(tmp_path: Path) -> None:
    rows = outcomes(200, pays=True)
    for row in rows:
        for told in row["outcomes"].values():
            del told["cost_usd"]
    plot = tmp_path / "plot.svg"
    found = run(logged(tmp_path / "log.jsonl", rows), "--plot", plot)
    assert not plot.exists()
    assert "plot.svg is not drawn: no costs are logged" in found.stderr


def test_the_one_model_without_costs_is_named(tmp_path: Path) -> None:
    rows, plot = outcomes(200, pays=True), tmp_path / "plot.svg"
    for row in rows:
        del row["outcomes"]["weak"]["cost_usd"]
    found = run(logged(tmp_path / "log.jsonl", rows), "--plot", plot)
    assert "costs are not compared, because none is logged of weak" in found.stdout
    assert "plot.svg is not drawn: costs are not compared, because none is logged of weak" in found.stderr
    assert "no costs are logged" not in found.output


def test_requests_that_are_not_compared_are_counted(tmp_path: Path) -> None:
    rows = one_each(outcomes(200, pays=True))
    rare = [{"id": f"rare-{i}", "prompt": f"p {i}", "model": "rare", "score": 1} for i in range(7)]
    found = run(logged(tmp_path / "log.jsonl", rows + rare))
    assert "all requests: 200 scored requests" in found.output
    assert "note: 7 further scored requests are not compared: no model with enough outcomes was asked" in found.output


def test_of_nothing_no_state_is_written_whatever_is_asked(tmp_path: Path) -> None:
    found = run(logged(tmp_path / "log.jsonl", []), "-o", tmp_path / "state.json", "--anyway")
    assert (found.exit_code, "state.json is not written: there is nothing to learn from" in found.output) == (3, True)
    assert not (tmp_path / "state.json").exists()


def test_a_sample_is_told_plainly(tmp_path: Path) -> None:
    log = logged(tmp_path / "log.jsonl", outcomes(1_200, pays=True))
    found = run(log, "--sample", 1_000, "--folds", 2)
    assert "note: a sample of 1,000 of about 1,200 scored requests, drawn by their ids" in found.output
    assert "1,000 scored requests, 2 models" in found.output
    assert json.loads(run(log, "--sample", 1_000, "--folds", 2, "--json").stdout)["beyond_the_sample"] == 200
