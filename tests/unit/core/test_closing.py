"""Closing a router closes all its parts, whatever one of them raises."""

from __future__ import annotations

import pytest

from capability_router import Router
from capability_router.testing import ask, scripted_router


class Kept:
    def __init__(self) -> None:
        self.closed = False

    def write(self, record: object) -> None: ...

    def close(self) -> None:
        self.closed = True


def fails() -> None:
    raise OSError("the disk is gone")


@pytest.mark.parametrize("part", ["store.close", "ledger.close", "_shadow_calls.close"])
def test_the_sinks_are_closed_whatever_else_fails(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Kept()
    router: Router = scripted_router({"a": ["yes"]})
    router.add_sink(sink)
    ask(router, "hi")
    owner = router if part.startswith("_") else router._accounting
    name, method = part.split(".")
    with monkeypatch.context() as patch:
        patch.setattr(getattr(owner, name), method, fails)
        with pytest.raises(OSError, match="the disk is gone"):
            router.close()
    assert sink.closed
