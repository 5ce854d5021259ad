"""The installed script, with and without what the command needs."""

from __future__ import annotations

import sys

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
