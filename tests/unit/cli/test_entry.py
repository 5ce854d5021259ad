"""The installed script, with and without what the command needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from capability_router.cli import run


def test_it_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["capability-router", "--help"])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 0
    assert "tail" in capsys.readouterr().out


def test_without_click_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.delitem(sys.modules, "capability_router.cli.main", raising=False)
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 'Error: the command line needs click: pip install "capability-router[cli]"'


def test_the_line_of_each_command_is_whole() -> None:
    from capability_router.cli.main import main  # here, because a test above takes it away

    for group in ([], ["catalog"], ["import"], ["ledger"]):
        listed = CliRunner(env={"COLUMNS": "80"}).invoke(main, [*group, "--help"]).stdout.partition("Commands:\n")[2]
        assert listed
        assert "..." not in listed


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_an_encoding_without_the_signs_of_a_chart_is_no_error(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "router.yaml").write_text("models: [{id: a, endpoint: {base_url: 'http://h/v1', model: m}}]\n")
    command = [sys.executable, "-c", "from capability_router.cli import run; run()", "rehearse", "--seconds", "5"]
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    found = subprocess.run(command, capture_output=True, cwd=tmp_path, env=env, check=False)  # noqa: S603 - our own command
    assert (found.returncode, found.stderr) == (0, b"")
    drawn = re.search(r"^ +answered ([^%]*)$", found.stdout.decode("utf-8" if encoding == "ascii" else encoding), re.M)
    assert drawn
    assert ("@" in drawn[1], "█" in drawn[1]) == ((True, False) if encoding == "cp1252" else (False, True))


def test_a_misspelt_command_names_the_nearest() -> None:
    from capability_router.cli.main import main  # here, because a test above takes it away

    told = CliRunner().invoke(main, ["reprot"])
    assert (told.exit_code, told.stderr.splitlines()[-1]) == (
        2,
        "Error: No such command 'reprot'; did you mean 'report'?",
    )
    assert "; known: budgets, catalog, check," in CliRunner().invoke(main, ["xyzzy"]).stderr
    assert CliRunner().invoke(main, ["--version"]).exit_code == 0
    assert "No such option" in CliRunner().invoke(main, ["--xyzzy"]).stderr
