"""The installed script, with and without what the command needs."""

from __future__ import annotations

import sys

import pytest

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
