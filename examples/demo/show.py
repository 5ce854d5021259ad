"""The demonstration from its preparation to its report."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.panel import Panel

from capability_router.decision_log.reading import read_log
from capability_router.report.page import page
from examples.demo import rag, stage, swap, tables
from examples.demo.arm import Arm
from examples.demo.arms import FAVOURITE, STRONGEST, build
from examples.demo.corpus import Corpus, load
from examples.demo.verdict import Score, score
from examples.demo.workload import items

_LEAST_CHARACTERS = 2_000


class Show:
    """Holds what its steps share; call them in order."""

    corpus: Corpus
    found: Any
    arms: list[Arm]

    def __init__(self, console: Console, out: Path, *, time_scale: float) -> None:
        self._console, self._out, self._time_scale = console, out, time_scale

    def prepare(self, choice: str) -> None:
        """Get the documents and index them."""
        self.corpus = load(choice)
        if self.corpus.trouble:
            said = f"{self.corpus.trouble}.\nGoing on with {self.corpus.about} instead."
            self._console.print(Panel(said, title="Documents", border_style="red"))
        if sum(len(page.text) for page in self.corpus.pages) < _LEAST_CHARACTERS:
            raise click.ClickException(f"{self.corpus.about}: too little text to ask questions about")
        self._console.print(f"Indexing {len(self.corpus.pages)} documents: {self.corpus.about}")
        self.found = rag.retriever(self.corpus)

    def swap(self) -> None:
        """The three applications before and after."""
        self._console.print(tables.swap(swap.before_and_after(self.corpus.name, self.found)))

    def compete(self, stack: ExitStack, *, quick: bool, duration_s: float) -> None:
        """The whole workload, three ways at once."""
        work = items(self.corpus, quick)
        self.arms = build(self._out, time_scale=self._time_scale)
        for arm in self.arms:
            stack.enter_context(arm)
            arm.serve(self.found)
        self._console.print(
            f"\n{len(work)} requests over {duration_s:.0f} s to the router and to two baselines, each on its own copy "
            f"of the five providers.\nHalf-way {FAVOURITE}, the favourite, refuses connections; later {STRONGEST} "
            "answers 429 for a while."
        )
        stage.run(self._console, self.arms, work, duration_s)

    def tell(self) -> None:
        """Everything that is known now, and the files."""
        scores = [score(arm) for arm in self.arms]
        own, first = scores[0], self.arms[0]
        log = read_log(first.log)
        decisions = log.decisions
        show = self._console.print
        show(tables.requests(own.verdicts, self._console.width), tables.plan(tables.telling_plan(decisions)))
        show(tables.totals(first.router.ledger, "tenant"), tables.totals(first.router.ledger, "model"))
        show(tables.mistakes(own), tables.comparison(scores), tables.books(scores))
        files = {"Decision log": first.log, "Report page": self._write_page([*decisions, *log.health], scores)}
        files |= {f"  {arm.name}": arm.log for arm in self.arms[1:]}
        show("", *(f"{what:24}{path}" for what, path in files.items()), sep="\n", soft_wrap=True)

    def _write_page(self, records: list[dict[str, Any]], scores: list[Score]) -> Path:
        path = self._out / "report.html"
        others = {arm.name: read_log(arm.log).decisions for arm in self.arms[1:]}
        right = ", ".join(f"{s.name} {s.right} of {len(s.verdicts)}" for s in scores)
        note = f"Simulated providers over real HTTP on loopback. Answered right: {right}."
        path.write_text(page(records, title="capability-router demo", against=others, note=note), encoding="utf-8")
        return path
