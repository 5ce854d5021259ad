"""A router with an evaluator, and what became of its evaluations."""

from __future__ import annotations

from typing import Any

from capability_router.router import Router
from capability_router.testing import scripted_router

ALL = {"share": 1.0}


class Records:
    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def write(self, record: dict[str, Any]) -> None:
        self.rows.append(record)

    def close(self) -> None:
        pass

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["kind"] == kind]


def made(evaluator: Any, evaluate: Any = ALL, **settings: Any) -> tuple[Router, Records]:
    router = scripted_router({"a": ["ok:yes"], "b": ["ok"]}, evaluator=evaluator, evaluate=evaluate, **settings)
    router.add_sink(records := Records())
    return router, records


def closed(router: Router) -> dict[str, Any]:
    """What became of all."""
    router.close()
    return {end: number for end, number in router.evaluations().items() if number}
