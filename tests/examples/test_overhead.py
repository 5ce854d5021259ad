"""The benchmark of the overhead: its figures, its clients over loopback, and the page that it writes."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.bench import MODULES, PAGE, chosen, command
from benchmarks.endpoint import concurrent
from benchmarks.overhead import growing_peer
from benchmarks.overhead.beside_peers import GROWTH_HEADS, NotMeasured, _printed, growth_cells
from benchmarks.overhead.growing_peer import GROWING, MODELS, SIZES_KB, figures
from benchmarks.overhead.imports import Import, loaded
from benchmarks.overhead.peer import SERVERS, core_router
from benchmarks.overhead.prompt import prompt
from benchmarks.overhead.samples import added, mean, percentile, ratio
from benchmarks.overhead.server import CHUNKS, WORD
from benchmarks.page import part, spliced, written
from benchmarks.summary import summed_up

ROOT = Path(__file__).parents[2]
_AFTER_1000_CALLS = 12  # the column of the peers' table, by the bars before it
BARE, OURS = [[1.0, 3.0], [2.0, 2.0], [4.0, 4.0]], [[3.0, 5.0], [4.0, 4.0], [100.0, 8.0]]


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    assert (mean(BARE), mean(OURS), ratio(OURS, BARE)) == (2.0, 4.0, 2.0)


def test_what_is_added_is_a_percentile_of_all_calls_less_that_of_the_others() -> None:
    assert [percentile(BARE, share) for share in (0.0, 0.5, 0.95)] == [1.0, 2.0, 4.0]
    assert added(OURS, BARE, 0.5) == 4.0 - 2.0
    assert added(OURS, BARE, 0.95) == 100.0 - 4.0


def test_an_import_is_measured_with_its_bytecode_though_the_caller_s_processes_write_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert loaded(Import("import sys; assert not sys.dont_write_bytecode"))["ms"] >= 0.0


@pytest.mark.parametrize("characters", [1_000, 10_000, 100_000])
def test_prompts_have_their_size_and_differ(characters: int) -> None:
    made = [prompt(characters, number) for number in range(50)]
    assert {len(text) for text in made} == {characters}
    assert len(set(made)) == 50


@pytest.mark.parametrize("name", MODULES)
def test_the_page_has_a_part_for_each_measurement(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"<!-- bench {name} -->\nmeasured\n<!-- /bench -->" in spliced(page, name, "measured")


def test_a_part_that_the_page_does_not_have_is_an_error() -> None:
    with pytest.raises(LookupError, match="no part for scale"):
        spliced("<!-- bench core -->\n<!-- /bench -->", "scale", "measured")


def test_a_page_whose_writing_is_cut_short_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, whole = tmp_path / "page.md", Path.write_text

    def half(path: Path, text: str, **more: str) -> int:
        whole(path, text[: len(text) // 2], **more)
        raise KeyboardInterrupt

    written(page, "the old page")
    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(KeyboardInterrupt):
        written(page, "a new page, which is longer")
    assert page.read_text(encoding="utf-8") == "the old page"


def test_a_peer_that_fails_is_named_with_what_it_told() -> None:
    with pytest.raises(NotMeasured, match=r"(?s)PEER NOT MEASURED: carrier pigeon: .*KeyError: 'carrier pigeon'"):
        _printed("peer", "carrier pigeon", ".", 1)


def test_what_a_further_model_or_kb_adds_is_over_the_whole_range(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(use: object, ways: dict[str, object], rounds: int) -> dict[str, list[list[float]]]:
        return {way: [[float(way.split(",")[0]) + (100.0 if "through" in way else 0.0)] * 3] for way in ways}

    monkeypatch.setattr(growing_peer, "measured", seen)
    assert figures("with_fallbacks", 1) == {
        "models": {"us": [100.0] * 4, "further": 0.0}, "kb": {"us": [100.0] * 3, "further": 0.0},
    }  # fmt: skip
    monkeypatch.setattr(growing_peer, "added", lambda mine, base, share: 3.0 * base[0][0] ** 2)
    assert figures("with_fallbacks", 1)["models"]["further"] == 3.0 * (200**2 - 2**2) / 198


def test_a_growing_peer_is_measured_and_has_a_cell_for_each_head() -> None:
    seen = figures("with_fallbacks", 1)
    assert {what: len(by["us"]) for what, by in seen.items()} == {"models": len(MODELS), "kb": len(SIZES_KB)}
    assert len(growth_cells(seen)) == len(GROWTH_HEADS) - 1


@pytest.mark.parametrize("name", ["ChatRouter", "with_fallbacks"])
def test_a_peer_of_many_models_answers_as_the_bare_one(name: str) -> None:
    bare, through = GROWING[name](50)
    assert [str(getattr(call("Which?"), "content", "")) for call in (bare, through)] == ["Paris."] * 2


def test_the_pages_summary_is_that_of_its_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert part(page, "summary").strip() == summed_up(page)


@pytest.mark.parametrize(("told", "line"), [("0.32 x", "| 0.32 x | < 1 x |"), ("1.32 x", "| 1.32 x: missed | < 1 x |")])
def test_a_summary_follows_its_tables_and_says_what_is_missed(told: str, line: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    row = re.compile(r"^\| time of a call \| [\d.]+ x", re.MULTILINE)
    loopback = row.sub(f"| time of a call | {told}", part(page, "loopback"))
    assert line in summed_up(spliced(page, "loopback", loopback.rstrip("\n"))).splitlines()[2]


def test_a_summary_of_a_table_without_the_row_names_it() -> None:
    page = spliced(PAGE.read_text(encoding="utf-8"), "peers", "| | us |\n|---|---|\n| ChatRouter | 3 x |")
    with pytest.raises(LookupError, match=r"peers has no number in column 1 of .ChatRouter."):
        summed_up(page)


async def test_fewer_calls_than_are_made_at_once_are_one_for_each() -> None:
    made = 0

    async def call() -> None:
        nonlocal made
        made += 1

    assert await concurrent(call, 30, 50) > 0
    assert made == 2 * 50 + 50


async def test_the_core_alone_answers_what_its_client_answers() -> None:
    with SERVERS:
        bare, routed = core_router()
        assert ["".join(way.stream()) for way in (bare, routed)] == [WORD * CHUNKS] * 2
        answers = [bare.call(), routed.call(), await bare.acall(), await routed.acall()]
    assert [[delta.text for delta in deltas] for deltas in answers] == [["It is."]] * 4


@pytest.mark.parametrize(("mib", "told"), [("44", "| 0.25 | a third |"), ("88", "| 0.50: missed | a third |")])
def test_the_memory_of_the_core_alone_is_told_where_its_row_is(mib: str, told: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    peers = re.sub(r"^\| Router, endpoint \|.*\n", "", part(page, "peers"), flags=re.MULTILINE)
    rows = peers.rstrip().split("\n")
    at = next(at for at, row in enumerate(rows) if row.startswith("| litellm.Router |"))
    cells = rows[at].split("|")
    cells[_AFTER_1000_CALLS] = " 176 "
    rows[at] = "|".join(cells)
    peers = "\n".join(rows)
    cells = ["", " Router, endpoint ", *[" 1 "] * (len(cells) - 3), ""]
    cells[_AFTER_1000_CALLS] = f" {mib} "
    row = "|".join(cells)
    assert told not in summed_up(spliced(page, "peers", peers))
    assert told in summed_up(spliced(page, "peers", f"{peers}\n{row}"))


def test_without_the_peers_their_part_is_left_alone() -> None:
    assert "peers" in chosen([], peers=True)
    assert chosen([], peers=False) == [name for name in MODULES if not name.startswith("peers")]
    assert chosen(["turns", "core"], peers=True) == ["core", "turns"]


@pytest.mark.parametrize("name", MODULES)
def test_each_part_is_shorter_at_a_smaller_scale(name: str) -> None:
    whole, small = command(name, 1.0), command(name, 0.1)
    numbers = [[float(word) for word in words if re.fullmatch(r"[\d.]+", word)] for words in (whole, small)]
    assert numbers[0]
    assert all(less < more for more, less in zip(*numbers, strict=True))


def test_clients_are_measured_over_loopback_in_processes_of_their_own() -> None:
    ways = ["raw httpx", "built-in endpoint"]
    command = [sys.executable, "-m", "benchmarks.overhead.loopback", "--rounds", "1", "--scale", "0.01", *ways]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603 - a module of ours
    assert done.returncode == 0, done.stderr
    assert "–" in done.stdout, "neither way has what it is compared with beside it"
    for name in ways:  # a row in the table of single calls, one in that of many
        rows = [line.split("|")[2:-1] for line in done.stdout.splitlines() if line.startswith(f"| {name} |")]
        assert [len(cells) for cells in rows] == [8, 8]
        assert [[cell.strip() == "–" for cell in cells].count(True) for cells in rows] == [3, 2]
        assert all(float(re.sub("[ x,]", "", cell)) > 0 for cells in rows for cell in cells if cell.strip() != "–")


def test_a_way_that_nobody_knows_is_told_without_a_traceback() -> None:
    command = [sys.executable, "-m", "benchmarks.overhead.loopback", "carrier pigeon"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603 - a module of ours
    assert done.returncode == 2
    assert "no way is called 'carrier pigeon'" in done.stderr
    assert "Traceback" not in done.stderr


WRONG = (
    ("endpoint", "--calls 0", "'0' is not a whole number from 1 on"),
    ("overhead", "--rounds 0", "'0' is not a whole number from 1 on"),
    ("overhead.growth", "--rounds -2", "'-2' is not a whole number from 1 on"),
    ("overhead.imports", "--rounds x", "'x' is not a whole number from 1 on"),
    ("approaches", "--seeds 0", "'0' is not a whole number from 1 on"),
    ("approaches", "--seconds 0", "'0' is not a number above 0"),
    ("approaches", "--http --reach", "not allowed with argument --http"),
    ("approaches", "--only adaptive --frontier f.svg", "argument --only: has no use for --frontier"),
    ("approaches", "--sensitivity f.svg --calm", "argument --sensitivity: has no use for --calm"),
    ("approaches", "--http --seeds 4", "argument --http: has no use for --seeds"),
    ("bench", "--scale 0", "'0' is not a number above 0"),
    ("bench", "pigeons", "the page has no part 'pigeons'; there are: overhead, peers"),
    ("scale", "--scale -1", "'-1' is not a number above 0"),
    ("core", "--rounds -5", "'-5' is not a whole number from 1 on"),
    ("overhead.loopback", "--scale nan", "'nan' is not a number above 0"),
    ("approaches", "--page page.md", "say --http, whose table it is for"),
    ("approaches", "--only pigeons", "invalid choice: 'pigeons'"),
    ("peers", "--peer pigeons", "no peer has 'pigeons' in its name; there are: ours: ChatOpenAI"),
)


@pytest.mark.parametrize(("module", "option", "told"), WRONG, ids=[f"{name} {option}" for name, option, _ in WRONG])
def test_a_wrong_option_is_told_before_anything_is_measured(
    module: str, option: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [module, *option.split()])
    folder = (ROOT / "benchmarks" / module).is_dir()
    command = importlib.import_module(f"benchmarks.{module}" + (".__main__" if folder else ""))
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert told in f"{ended.value}{capsys.readouterr().err}"


@pytest.mark.parametrize(("told", "line"), [("391", "1.2 / 1.0 us | 2 us |"), ("994", "1.2 / 4.1 us: missed | 2 us |")])
def test_what_a_further_model_adds_is_told_of_the_decision_and_of_the_whole_call(told: str, line: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    core = re.sub(r"( 200 adaptive +\S+ +/ +\S+ +)\S+", r"\g<1>263.1", part(page, "core"))
    core = re.sub(r"(  2 adaptive +\S+ +/ +\S+ +)\S+", r"\g<1>25.5", core)
    growth = re.sub(r"(\| 200 models.* x \| )\d+", rf"\g<1>{told}", part(page, "growth"))
    growth = re.sub(r"(\| 2 models.* x \| )\d+", r"\g<1>190", growth)
    page = spliced(spliced(page, "core", core.rstrip("\n")), "growth", growth.rstrip("\n"))
    assert summed_up(page).splitlines()[-1].endswith(line)


@pytest.mark.parametrize(
    "path",
    [
        *sorted((ROOT / "benchmarks").glob("*.py")),
        *sorted((ROOT / "benchmarks").glob("*/__main__.py")),
        ROOT / "benchmarks" / "tokens" / "fetch.py",
    ],
    ids=lambda path: path.relative_to(ROOT / "benchmarks").as_posix(),
)
def test_each_command_knows_its_options(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    asks = "ArgumentParser(" in text or "import main" in text
    assert asks or 'if __name__ == "__main__":' not in text
