"""Each command line that the pages show is one that the command understands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from capability_router.cli.main import main

ROOT = Path(__file__).parents[3]
PAGES = (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))


def shown() -> Iterator[tuple[str, str]]:
    """(page, command line) of every one in a block of its own or between backticks."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
        inline = re.findall(r"`(capability-router [^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
        for line in (*lines, *inline):
            if line.startswith("capability-router "):
                yield page.name, " ".join(re.split(r"\s#\s", line)[0].split())


LINES = sorted(set(shown()))


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}: {line}" for page, line in LINES])
def test_a_page_shows_commands_and_options_that_there_are(page: str, line: str) -> None:
    command: click.Command = main
    words = shlex.split(line.replace("[", " ").replace("]", " "))[1:]
    context = click.Context(main)
    while words and isinstance(command, click.Group):
        if words[0].startswith("-"):
            break
        found = command.get_command(context, words.pop(0))
        assert found is not None, f"{page}: no such command: {line}"
        command = found
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"-h", "--help"}
    options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert options <= known, f"{page}: {line}"


def test_there_are_many_of_them() -> None:
    assert len(LINES) > 60
