"""`capability-router catalog` as a person runs it: lists served on loopback, files, and a terminal."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from unit.catalog.lists import LITELLM, MODELS_DEV, OPENROUTER

from capability_router.catalog.known import snapshot, userfile
from capability_router.catalog.registry import Registry
from capability_router.catalog.updates.sources import fetch, formats
from capability_router.cli.catalogs import catalog as command
from capability_router.cli.main import main

PAGES: dict[str, tuple[int, bytes]] = {
    "/litellm.json": (200, json.dumps(LITELLM).encode()),
    "/api.json": (200, json.dumps(MODELS_DEV).encode()),
    "/models": (200, json.dumps(OPENROUTER).encode()),
    "/page.html": (200, b"<html>sign in</html>"),
    "/gone": (404, b"no"),
    "/other.json": (200, b'{"hello": "world"}'),
    "/cut": (200, b'{"hello": '),
}


OVER = threading.Event()  # lets the slow answers end when the tests do


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = self.path.partition("?")[0]
        if page in SLOW:
            SLOW[page](self)
            return
        status, body = PAGES.get(page, (500, b""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (100 if page == "/cut" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


def drip(self: BaseHTTPRequestHandler) -> None:
    """A byte at a time, for as long as somebody listens."""
    with contextlib.suppress(OSError):
        while not OVER.wait(0.02):
            self.wfile.write(b" ")


def drip_the_body(self: BaseHTTPRequestHandler) -> None:
    self.send_response(200)
    self.end_headers()
    drip(self)


def drip_the_head(self: BaseHTTPRequestHandler) -> None:
    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Filler: ")
    drip(self)


def say_nothing(self: BaseHTTPRequestHandler) -> None:
    OVER.wait()


def redirect(self: BaseHTTPRequestHandler) -> None:
    """In a circle, each time after a moment."""
    OVER.wait(0.05)
    self.send_response(302)
    self.send_header("Location", self.path)
    self.send_header("Content-Length", "0")
    self.end_headers()


SLOW = {"/body": drip_the_body, "/head": drip_the_head, "/silence": say_nothing, "/circle": redirect}


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    OVER.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    place = tmp_path / "own" / "catalog.json"
    monkeypatch.setenv(userfile.VARIABLE, str(place))
    monkeypatch.setattr(command, "today", lambda: date(2027, 1, 1))
    snapshot.forget()
    yield place
    monkeypatch.undo()
    snapshot.forget()


def run(*words: str) -> Result:
    snapshot.forget()
    return CliRunner().invoke(main, ["catalog", *words])


@pytest.mark.parametrize(
    ("page", "provider", "model", "rate"),
    [
        ("litellm.json", "openai", "gpt-5-mini", 0.3),
        ("api.json", "google", "gemini-like-1", 1.25),
        ("models", "openrouter", "acme/large-1", 3),
    ],
)
def test_an_update_from_an_address_is_written_told_and_used(host, file, page, provider, model, rate):
    told = run("update", "--from", f"{host}/{page}")
    assert told.exit_code == 0, told.output
    assert f"{provider}:{model}" in told.output
    assert f"written: {file}" in told.output
    snapshot.forget()
    (entry,) = Registry.build([f"{provider}:{model}"])
    assert entry.card.price is not None
    assert entry.card.price.input_mtok == rate
    assert entry.sources["price"].endswith("(2027-01-01)")
    again = run("update", "--from", f"{host}/{page}", "--json")
    assert [c for c in json.loads(again.output)["changes"] if c["kind"] != "unlisted"] == []


def test_a_sources_name_stands_for_its_address(host, file, monkeypatch):
    row = formats.FORMATS["openrouter"]
    monkeypatch.setitem(formats.FORMATS, "openrouter", row._replace(url=f"{host}/models"))
    assert run("update", "--from", "openrouter").exit_code == 0
    assert snapshot.lookup("openrouter", "acme/small-1:free")["price"].input_mtok == 0


def test_a_diff_writes_nothing_and_tells_what_an_update_would_change(host, file):
    told = run("diff", f"{host}/litellm.json")
    assert told.exit_code == 0
    assert not file.exists()
    line = next(row for row in told.output.splitlines() if "gpt-5-mini " in row and "price.input_mtok" in row)
    assert line.split()[-2:] == ["0.25", "0.3"]
    changes = json.loads(run("diff", f"{host}/litellm.json", "--json").output)["changes"]
    mini = next(c for c in changes if c["model"] == "gpt-5-mini")
    assert mini["fields"]["price.output_mtok"] == {"before": 2, "after": 2.4}


def test_a_file_holds_for_the_day_on_which_it_was_changed_or_that_is_stated(tmp_path, file):
    import os

    given = tmp_path / "prices.json"
    given.write_text(json.dumps(LITELLM))
    os.utime(given, (1_790_000_000, 1_790_000_000))  # 2026-09-21
    assert run("update", "--from", str(given)).exit_code == 0
    assert json.loads(file.read_text())["sources"]["litellm"]["as_of"] == "2026-09-21"
    assert run("update", "--from", str(given), "--as-of", "2026-12-24").exit_code == 0
    assert json.loads(file.read_text())["sources"]["litellm"]["as_of"] == "2026-12-24"
    late = run("update", "--from", str(given), "--as-of", "2028-01-01")
    assert (late.exit_code, "in the future" in late.output) == (1, True)


def test_providers_that_the_catalog_does_not_have_are_taken_when_asked_for(host, file):
    run("update", "--from", f"{host}/litellm.json")
    assert snapshot.lookup("somewhere-else", "m") is None
    run("update", "--from", f"{host}/litellm.json", "--every-provider")
    assert snapshot.lookup("somewhere-else", "m")["context_window"] == 9


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{host}/page.html", "it is no JSON"),
        ("{host}/gone", "answers with status 404"),
        ("{host}/other.json", "no list of models that is known (a mapping with 'hello')"),
        ("http://127.0.0.1:1/x", "can't be reached"),
        ("{host}/gone?key=secret", "/gone answers"),
        ("nowhere.json", "is no file, no http(s) address and no source that is known"),
        ("litelm", "did you mean 'litellm'?"),
        (".", "can't be read"),
        ("ftp://host/list", "'ftp://host/list' is no file, no http(s) address"),
        ("http://[::1", "http://[::1 can't be reached"),
        ("https://", "can't be reached"),
    ],
)
def test_what_can_not_be_taken_is_told_in_one_line_and_the_old_file_stays(host, file, source, told):
    run("update", "--from", f"{host}/litellm.json")
    before = file.read_bytes()
    failed = run("update", "--from", source.format(host=host))
    assert failed.exit_code == 1
    assert told in failed.output
    assert "secret" not in failed.output
    assert "Traceback" not in failed.output
    assert file.read_bytes() == before


def test_a_list_that_shrank_is_refused_unless_it_is_wanted(tmp_path, file):
    given = tmp_path / "list.json"
    given.write_text(json.dumps({f"m{i}": LITELLM["gpt-5-mini"] for i in range(10)}))
    run("update", "--from", str(given))
    before = file.read_bytes()
    given.write_text(json.dumps({"m1": LITELLM["gpt-5-mini"]}))
    refused = run("update", "--from", str(given))
    assert (refused.exit_code, "names 1 models, at the last update 10" in refused.output) == (1, True)
    assert file.read_bytes() == before
    assert run("update", "--from", str(given), "--allow-shrink").exit_code == 0
    assert list(snapshot.documents()[0].models("openai")) == ["m1"]


@pytest.mark.parametrize("page", SLOW)
def test_an_answer_that_takes_too_long_in_all_is_given_up_and_the_old_file_stays(host, file, page):
    run("update", "--from", f"{host}/litellm.json")
    before = file.read_bytes()
    for words in (("update", "--from", f"{host}{page}?key=secret"), ("diff", f"{host}{page}?key=secret")):
        failed = run(*words, "--timeout", "200ms")
        assert failed.exit_code == 1
        told = "has given no whole answer within 0.2 s; give it longer with --timeout, or a file instead"
        assert failed.output == f"Error: {host}{page} {told}\n"
    assert file.read_bytes() == before


def test_an_answer_in_time_is_taken_with_a_timeout_as_without(host, file):
    assert run("update", "--from", f"{host}/litellm.json", "--timeout", "2m").exit_code == 0
    assert "60s" in run("update", "--help").output


@pytest.mark.parametrize("timeout", ["0", "-1", "soon", "nan", "inf", ""])
def test_a_timeout_that_is_none_is_told(host, timeout):
    failed = run("diff", f"{host}/litellm.json", f"--timeout={timeout}")
    assert (failed.exit_code, "--timeout must be a duration above 0" in failed.output) == (1, True)


def test_an_endless_answer_or_file_is_cut_off(host, monkeypatch, tmp_path):
    monkeypatch.setattr(fetch, "MOST_BYTES", 100)
    (tmp_path / "long.json").write_text(json.dumps(LITELLM))
    assert "long.json gives more than" in run("diff", str(tmp_path / "long.json")).output
    failed = run("diff", f"{host}/litellm.json")
    assert (failed.exit_code, "which no list of models is" in failed.output) == (1, True)


def test_a_broken_file_of_ones_own_is_told_and_written_anew(host, file):
    file.parent.mkdir()
    file.write_text("{")
    done = run("update", "--from", f"{host}/litellm.json")
    assert done.exit_code == 0
    assert "is no JSON" in done.stderr
    assert json.loads(file.read_text())["schema"] == 2


def test_a_place_that_can_not_be_written_and_one_that_is_switched_off(host, tmp_path, monkeypatch):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    failed = run("update", "--from", f"{host}/litellm.json", "--to", str(blocked / "catalog.json"))
    assert (failed.exit_code, "cannot write the catalog file" in failed.output) == (1, True)
    monkeypatch.setenv(userfile.VARIABLE, "off")
    assert "give --to FILE" in run("update", "--from", f"{host}/litellm.json").output


# ------------------------------------------------------------------ show


def test_show_tells_the_providers_with_their_sources_and_days():
    told = run("show").output
    assert any(row.split()[:1] == ["openai"] for row in told.splitlines())
    assert "litellm 1." in told
    providers = json.loads(run("show", "--json").output)
    assert "gpt-5-mini" in providers["openai"]


def test_show_tells_each_field_with_its_source_day_and_confidence():
    told = run("show", "openai:gpt-5-mini").output
    row = next(line for line in told.splitlines() if line.startswith("context_window"))
    assert "400,000" in row
    assert "langchain-openrouter 0." in row
    assert "switched off on 2026-12-11" in told
    assert any(line.startswith("batch") for line in told.splitlines())
    (read,) = json.loads(run("show", "openai:gpt-5-mini", "--json").output)
    assert read["fields"]["reasoning_effort_levels"] == ["minimal", "low", "medium", "high"]
    assert read["sources"]["price"] == f"catalog {snapshot.builtin().sources['litellm']}"
    assert read["confidence"]["price"] == "confirmed"


def test_show_takes_other_names_texts_and_providers():
    assert "google:gemini-2.5-pro" in run("show", "google_genai:models/gemini-2.5-pro").output
    assert "openai:gpt-5-mini" in run("show", "5-MINI").output
    rows = run("show", "Anthropic").output.splitlines()
    assert rows[0].startswith("model of anthropic")
    assert all(row.startswith("claude-") for row in rows[1 : rows.index("")])
    failed = run("show", "gpt-99-turbo-of-dreams")
    assert (failed.exit_code, "has no model" in failed.output) == (1, True)


@pytest.mark.parametrize(("what", "told"), [
    ("anthropic:gpt-5-mini", "openai"), ("openai:gpt-5-minni", "did you mean 'openai:gpt-5-mini'?"),
    ("antropic:claude-sonnet-4-5", "did you mean 'anthropic:claude-sonnet-4-5'?"),
])  # fmt: skip
def test_a_misspelt_name_or_provider_is_told_with_what_may_be_meant(what: str, told: str) -> None:
    failed = run("show", what)
    assert (failed.exit_code, told in failed.output.partition(repr(what))[2]) == (1, True)


@pytest.mark.parametrize("what", ["gpt-99-turbo-of-dreams", "banana", "acme:banana", "openai:house-1", "my-model"])
def test_nothing_is_suggested_for_a_name_like_none(what: str) -> None:
    assert run("show", what).output == f"Error: the catalog has no model {what!r}\n"


def test_a_text_is_looked_for_under_any_of_a_provider_s_names() -> None:
    names = {row["model"] for row in json.loads(run("show", "gemini:gemini-2.5-f", "--json").output)}
    assert "gemini-2.5-flash" in names
    assert all("gemini-2.5-f" in name for name in names)


# ------------------------------------------------------------------ check

CONFIG = """
policy: cheapest
models:
  - {id: good, endpoint: {base_url: "http://127.0.0.1:9/v1", model: s}, context_window: 4000, tool_calling: true,
     structured_output: true, image_inputs: false, pdf_inputs: false, audio_inputs: false, video_inputs: false,
     reasoning_output: false, price: {input_mtok: 0.1, output_mtok: 0.1}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    place = tmp_path / "router.yaml"
    place.write_text(CONFIG)
    return place


def findings(*words: str) -> tuple[int, dict[tuple[str, str], str]]:
    done = run("check", *words, "--json")
    return done.exit_code, {(f["model"], f["kind"]): f["detail"] for f in json.loads(done.output)["findings"]}


def test_check_passes_what_is_stated_and_names_what_is_not(config):
    assert findings("--config", str(config)) == (0, {})
    config.write_text(CONFIG + '  - {id: bare, endpoint: {base_url: "http://127.0.0.1:9/v1", model: l}}\n')
    code, found = findings("--config", str(config))
    assert code == 1
    assert found.keys() == {("bare", "price missing"), ("bare", "unknown")}
    assert "tool_calling" in found["bare", "unknown"]
    assert "context_window" in found["bare", "unknown"]
    told = run("check", "--config", str(config))
    assert "1 grave remarks (!)" in told.output


def test_check_tells_whose_a_model_without_a_price_is(config):
    config.write_text(
        "models: ['anthropic:gpt-5-mini', {id: house, endpoint: {base_url: 'http://127.0.0.1:9/v1', model: gpt-5}}]"
    )
    _, found = findings("--config", str(config))
    assert "openai" in found["anthropic/gpt-5-mini", "price missing"]
    assert found["house", "price missing"].endswith("no cost cap lets it pass")


def test_check_tells_what_is_known_from_resellers_alone_unless_it_is_stated(config):
    model = "model: 'deepseek:deepseek-v4.1-flash', price: {input_mtok: 1, output_mtok: 2}"
    config.write_text(f"models: [{{{model}}}]")
    code, found = findings("--config", str(config))
    told = found["deepseek/deepseek-v4.1-flash", "resold"]
    assert (code, "context_window" in told, "tool_calling" in told) == (0, True, True)
    config.write_text(f"models: [{{{model}, context_window: 5000}}]")
    assert "context_window" not in findings("--config", str(config))[1]["deepseek/deepseek-v4.1-flash", "resold"]
    assert run("check", "--config", str(config), "--strict").exit_code == 1


def test_what_is_only_unknown_fails_when_that_is_asked_for(config):
    config.write_text(CONFIG.replace("image_inputs: false, ", ""))
    assert findings("--config", str(config)) == (0, {("good", "unknown"): "image_inputs"})
    assert run("check", "--config", str(config), "--strict").exit_code == 1


def test_check_tells_old_prices_those_in_conflict_and_models_that_are_gone(config, host):
    config.write_text("models: ['openai:gpt-5-mini', 'mistral:mistral-large-latest']")
    code, found = findings("--config", str(config), "--max-age", "30d")
    assert code == 1
    assert "42 days old (catalog litellm" in found["openai/gpt-5-mini", "price stale"]
    assert found["openai/gpt-5-mini", "retired"] == "switched off on 2026-12-11"
    assert "genai-prices says input_mtok 2 instead of 0.5" in found["mistral/mistral-large-latest", "price conflict"]
    assert run("update", "--from", f"{host}/litellm.json").exit_code == 0
    code, found = findings("--config", str(config), "--max-age", "30d")
    assert ("openai/gpt-5-mini", "price stale") not in found
    assert ("mistral/mistral-large-latest", "price stale") in found
    assert found["openai/gpt-5-mini", "retires soon"] == "will be switched off on 2027-01-31, in 30 days"
    assert ("openai/gpt-5-mini", "price stale") not in findings("--config", str(config), "--max-age", "8w")[1]


def test_the_catalog_as_a_whole_fails_when_most_prices_are_old(host):
    old = run("check", "--max-age", "30d")
    assert (old.exit_code, "prices are older than 30 days" in " ".join(old.output.split())) == (1, True)
    assert run("check", "--max-age", "52w").exit_code == 0
    run("update", "--from", f"{host}/litellm.json")  # a few new prices beside thousands of old ones
    few = run("check", "--json")
    assert (few.exit_code, json.loads(few.output)["ok"]) == (1, False)
    assert {row["stale"] for row in json.loads(few.output)["sources"]} == {True, False}
    assert run("check", "--max-age", "45d").exit_code == 0  # of litellm's day, which has most of them


def test_a_list_by_its_sources_name_is_compared_with_the_built_in_one_at_first(host, file, monkeypatch):
    row = formats.FORMATS["litellm"]
    monkeypatch.setitem(formats.FORMATS, "litellm", row._replace(url=f"{host}/litellm.json"))
    refused = run("update", "--from", "litellm")
    assert (refused.exit_code, "in the built-in catalog 2," in refused.output) == (1, True)
    assert not file.exists()
    assert run("update", "--from", "litellm", "--allow-shrink").exit_code == 0
    assert run("update", "--from", "litellm").exit_code == 0


def test_no_text_is_no_name():
    assert (run("show", "").exit_code, "name a provider" in run("show", " ").output) == (1, True)


def test_a_server_that_says_no_or_breaks_off_was_reached(host):
    assert run("diff", f"{host}/gone?key=secret").output == f"Error: {host}/gone answers with status 404\n"
    cut = run("diff", f"{host}/cut").output
    assert cut == f"Error: {host}/cut broke off before its answer was whole; try again, or give a file\n"


def test_check_says_that_it_does_not_look_at_the_configuration_in_this_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("check", "--max-age", "52w").stderr == ""
    (tmp_path / "router.yaml").write_text(CONFIG)
    done = run("check", "--max-age", "52w", "--json")
    assert done.stderr.startswith("looks at the whole catalog; at the models of ./router.yaml with --config")
    assert json.loads(done.stdout)["ok"] is True


def test_a_conflict_of_any_part_of_a_price_is_told(tmp_path, monkeypatch):
    said = {"input_image_mtok": 50, "services": {"batch": {"input_mtok": 9, "output_mtok": 9}}}
    row = {"price": {"input_mtok": 1, "output_mtok": 2, "input_image_mtok": 5}, "doubts": {"price": {"other": said}}}
    book = {
        "schema": 2, "as_of": "2026-11-25", "sources": {"acme": {"as_of": "2026-11-25"}},
        "providers": {"deepseek": {"models": {"house": row}}},
    }  # fmt: skip
    (tmp_path / "own.json").write_text(json.dumps(book))
    monkeypatch.setenv("CAPABILITY_ROUTER_CATALOG", str(tmp_path / "own.json"))
    snapshot.forget()
    place = tmp_path / "router.yaml"
    place.write_text("models: ['deepseek:house']")
    _, found = findings("--config", str(place))
    assert found["deepseek/house", "price conflict"] == "other says input_image_mtok 50 instead of 5, other services"
    assert "price other 50 input image, other services" in " ".join(run("show", "deepseek:house").output.split())


@pytest.mark.parametrize("age", ["soon", "0d", "-3d", "3 years"])
def test_an_age_that_is_none_is_told(age):
    failed = run("check", f"--max-age={age}")
    assert (failed.exit_code, "12h, 30d or 2w" in failed.output) == (1, True)


def test_explain_tells_where_each_card_has_its_fields_from(tmp_path):
    place = tmp_path / "router.yaml"
    place.write_text("models: [{model: 'openai:gpt-5-mini', context_window: 5000}]")
    done = CliRunner().invoke(main, ["explain", "hello", "--config", str(place), "--sources"])
    sources = json.loads(done.output)["sources"]["openai/gpt-5-mini"]
    assert sources["context_window"] == "user"
    assert sources["price"].startswith("catalog litellm 1.")


def test_a_list_nested_deeper_than_can_be_read_is_refused_in_words_and_the_old_file_stays(tmp_path, file):
    given = tmp_path / "deep.json"
    given.write_text("[" * 200_000 + "]" * 200_000)
    for words in (("update", "--from", str(given)), ("diff", str(given))):
        told = run(*words)
        assert (told.exit_code, isinstance(told.exception, SystemExit)) == (1, True)
        assert "deep.json: it is no JSON" in told.output
    assert not file.exists()


@pytest.mark.parametrize("marks", [
    ("anthropic/claude-sonnet-4-5", "anthropic:claude-sonnet-4-5"),
    ("google_genai/gemini-2.5-pro", "google:gemini-2.5-pro"),
    ("openrouter/openai/gpt-4o", "openrouter:openai/gpt-4o"),
])  # fmt: skip
def test_a_model_is_shown_by_its_id_with_a_slash_as_with_a_colon(marks: tuple[str, str], file: Path) -> None:
    by_id, by_colon = (run("show", what) for what in marks)
    assert (by_id.exit_code, by_id.output) == (0, by_colon.output)
    assert by_id.output.startswith(marks[1])


def test_a_slash_that_is_part_of_a_models_name_still_searches(file: Path) -> None:
    told = run("show", "meta-llama/llama-3", "--json")
    assert told.exit_code == 0
    names = [row["model"].lower() for row in json.loads(told.output)]
    assert len(names) > 1
    assert all("meta-llama/llama-3" in name for name in names)


# ------------------------------------------------------------------ widths


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize(
    "words",
    [
        ("show",), ("show", "fireworks"), ("show", "gpt-5"), ("show", "openai:gpt-6.1-terra"),
        ("show", "openai:gpt-realtime-2.1"), ("show", "mistral:mistral-large-latest"), ("check", "--max-age", "52w"),
        ("diff", "{host}/litellm.json"), ("diff", "{host}/models"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_table_and_what_stands_below_it_fits(host: str, words: tuple[str, ...], columns: int) -> None:
    snapshot.forget()
    runner = CliRunner(env={"COLUMNS": str(columns)})
    shown = runner.invoke(main, ["catalog", *(word.format(host=host) for word in words)])
    assert shown.exit_code == 0, shown.output
    assert max(map(len, shown.output.splitlines())) <= columns


def test_a_long_name_is_shown_whole_in_however_many_lines(file: Path) -> None:
    runner = CliRunner(env={"COLUMNS": "60"})
    told = "".join(runner.invoke(main, ["catalog", "show", "fireworks"]).output.split())
    names = json.loads(run("show", "--json").output)["fireworks"]
    longest = max(names, key=len)
    rows = [line.split("  ")[0] for line in runner.invoke(main, ["catalog", "show", "fireworks"]).output.splitlines()]
    assert longest in "".join(rows).replace(" ", "")
    assert "noroomfor:output" in told
