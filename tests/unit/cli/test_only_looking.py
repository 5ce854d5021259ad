"""Commands that only look leave every file as it is, and make none."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from capability_router.cli.main import main
from capability_router.testing import ask, scripted_router

CAPS = [{"scope": "tenant:acme", "limit_usd": 1, "on_exceed": "warn"}]
COMMANDS = {
    "explain": ("explain", "hello", "--config", "{config}"),
    "check": ("catalog", "check", "--config", "{config}"),
    "budgets of a config": ("budgets", "--config", "{config}"),
    "budgets of a store": ("budgets", "--store", "{url}"),
    "ledger of a config": ("ledger", "total", "--config", "{config}"),
    "ledger of a store": ("ledger", "calls", "--store", "{url}"),
}
DECIDING = ("explain", "check")


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE invoices (id INTEGER)")
    connection.commit()
    connection.close()


def hotel(path: Path) -> None:
    """Somebody else's table of the same name."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE rooms (number INTEGER, guest TEXT)")
    connection.commit()
    connection.close()


def ours(path: Path) -> None:
    router = scripted_router({"a": ["ok"]}, store=f"sqlite:///{path}", budgets=CAPS)
    ask(router)
    router.close()
    router.store.close()


def damaged(path: Path) -> None:
    ours(path)
    path.write_bytes(path.read_bytes()[:4096] + b"\xa5" * 40_960)


FILES = {
    "absent": lambda path: None, "text": lambda path: path.write_text("dear diary, " * 99), "foreign": foreign,
    "hotel": hotel, "empty": lambda path: path.touch(), "damaged": damaged, "ours": ours,
}  # fmt: skip


def seen(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def run(command: str, folder: Path, **more: object) -> Result:
    path, config = folder / "router.db", folder / "router.yaml"
    model = {"id": "a", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}}
    words = {"models": [model], "store": f"sqlite:///{path}", "budgets": CAPS, **more}
    config.write_text(json.dumps(words))
    before = seen(folder)
    told = [word.format(config=config, url=words["store"]) for word in COMMANDS[command]]
    result = CliRunner().invoke(main, told)
    assert seen(folder) == before
    return result


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("file", FILES)
def test_no_file_is_made_changed_or_moved(tmp_path: Path, file: str, command: str) -> None:
    FILES[file](tmp_path / "router.db")
    result = run(command, tmp_path)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    if command in DECIDING or file == "ours":
        assert "Error" not in result.output
    elif file != "absent":
        assert result.exit_code == 1
        assert str(tmp_path / "router.db") in result.output


def test_without_caps_neither(tmp_path: Path) -> None:
    """A router without caps may move a damaged file of its own aside; a look may not."""
    damaged(tmp_path / "router.db")
    log = tmp_path / "decisions.jsonl"
    assert run("explain", tmp_path, budgets=[], telemetry={"jsonl": str(log)}).exit_code == 0
    assert run("check", tmp_path, budgets=[], ledger={"store": f"sqlite:///{tmp_path / 'l.db'}"}).exception is not None


@pytest.mark.parametrize("command", ["budgets of a store", "ledger of a store", "ledger of a config"])
def test_a_store_that_is_not_there_is_told(tmp_path: Path, command: str) -> None:
    result = run(command, tmp_path)
    assert result.exit_code == 1
    assert "no store at" in result.output


def test_the_caps_of_a_configuration_whose_store_is_not_there_yet_are_whole(tmp_path: Path) -> None:
    result = run("budgets of a config", tmp_path)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["scope", "tenant:acme"]
    assert "$1.000000" in result.stdout
    assert "no store at" in result.stderr


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("text", "is no SQLite database"), ("foreign", "holds another program's tables ('invoices'"),
        ("hotel", "holds another program's tables ('rooms'"), ("empty", "holds nothing yet"), ("damaged", "is damaged"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_store_is_told(tmp_path: Path, file: str, told: str) -> None:
    FILES[file](tmp_path / "router.db")
    assert told in run("ledger of a store", tmp_path).output
    assert told in run("budgets of a store", tmp_path).output


def test_a_memory_store_has_nothing_to_show(tmp_path: Path) -> None:
    result = run("budgets of a store", tmp_path, store="memory://")
    assert result.exit_code == 1
    assert "a memory store" in result.output
