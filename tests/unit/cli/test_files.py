"""What a command writes takes the place of its own files only."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from capability_router.cli.main import main

ROUTER_YAML = """\
models:
  - {id: a, endpoint: {base_url: "http://127.0.0.1:9/v1", model: a}}
"""
COMMANDS = {
    "report": ("log.jsonl", "-o"), "rehearse": ("--seconds", "5", "-o"), "simulate": ("--write",),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "router.yaml").write_text(ROUTER_YAML, encoding="utf-8")
    (tmp_path / "log.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("capability_router.cli.simulate._until_signal", Passed)
    return tmp_path


class Passed:
    def wait(self) -> None:
        """It is over at once."""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_configuration_is_not_written_over(folder: Path, command: str) -> None:
    result = CliRunner().invoke(main, [command, *COMMANDS[command], "router.yaml"])
    assert result.exit_code == (2 if command == "rehearse" else 1)
    assert "is left as it is; choose another path, or remove it" in result.stderr
    assert (folder / "router.yaml").read_text(encoding="utf-8") == ROUTER_YAML


@pytest.mark.parametrize("command", COMMANDS)
def test_what_the_command_wrote_before_is(folder: Path, command: str) -> None:
    written = folder / "written"
    for _ in "ab":
        assert CliRunner().invoke(main, [command, *COMMANDS[command], "written"]).exit_code == 0
        written.write_text(text := written.read_text(encoding="utf-8") + "<!-- older -->", encoding="utf-8")
    assert text.count("<!-- older -->") == 1
