"""Each command that reads a configuration takes it by either spelling."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from capability_router.cli.main import main

COMMANDS = [
    ["check"],
    ["budgets"],
    ["status"],
    ["ledger", "total"],
    ["ledger", "series"],
    ["ledger", "calls"],
    ["ledger", "export", "-o", "-"],
    ["rehearse", "--seconds", "5"],
]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, words)])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_config_is_an_argument_or_an_option(tmp_path: Path, command: list[str]) -> None:
    named, other = tmp_path / "named.yaml", tmp_path / "other.yaml"
    named.write_text("nonsense: 1\n")
    for words in ([named], ["--config", named], [named, "--config", named]):
        found = run(*command, *words)
        assert found.exit_code, found.output
        assert "nonsense" in found.output, "another file was read"
    twice = run(*command, named, "--config", other)
    assert twice.exit_code == 2
    assert "give one of them" in twice.output


@pytest.mark.parametrize("command", [*COMMANDS, ["explain", "hello"]], ids=" ".join)
def test_router_yaml_is_read_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("router.yaml").write_text("nonsense: 1\n")
    assert "nonsense" in run(*command).output
