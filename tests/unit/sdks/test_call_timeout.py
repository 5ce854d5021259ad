"""The time-out of one call: the client's own, shortened."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

pytest.importorskip("openai", reason="its `Timeout` is the one that is made")

from capability_router.sdks.call_timeout import call_timeout

SDKS = httpx.Timeout(600.0, connect=5.0)


@pytest.mark.parametrize(("own", "limit_s", "connect_s", "made"), [
    (SDKS, 12.0, None, httpx.Timeout(12.0, connect=5.0)),
    (SDKS, 12.0, 0.5, httpx.Timeout(12.0, connect=0.5)),
    (SDKS, None, 0.5, httpx.Timeout(600.0, connect=0.5)),
    (SDKS, 3.0, None, 3.0),
    (1.0, 12.0, None, 1.0),
    (1.0, 12.0, 9.0, 1.0),
    (None, 12.0, None, 12.0),
    (None, None, 2.0, httpx.Timeout(None, connect=2.0)),
    (httpx.Timeout(None, read=1.0), 12.0, 20.0, httpx.Timeout(12.0, read=1.0)),
])  # fmt: skip
def test_no_part_is_longer_than_the_clients_own_or_the_limit(
    own: Any, limit_s: float | None, connect_s: float | None, made: Any
) -> None:
    client = SimpleNamespace(timeout=own)
    completions = SimpleNamespace(_client=client)
    for model in (
        SimpleNamespace(root_client=client, client=completions), SimpleNamespace(client=completions),
        SimpleNamespace(_client=client), SimpleNamespace(_client=None, timeout=own),
    ):  # fmt: skip
        assert call_timeout(model, limit_s, connect_s) == made


def test_without_a_known_sdk_the_limit_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "openai", raising=False)
    assert call_timeout(object(), 4.0, 1.0) == 4.0
    assert call_timeout(SimpleNamespace(client=SimpleNamespace(timeout=2.0)), 4.0, 1.0) == 2.0
    assert call_timeout(SimpleNamespace(client=SimpleNamespace(timeout="odd")), 4.0, None) == 4.0


def test_an_sdk_gets_the_time_out_of_its_own_httpx() -> None:
    """Another one's would be taken for a number of seconds."""
    anthropic = pytest.importorskip("anthropic")
    for own in (7.0, anthropic.Timeout(7.0)):
        made = call_timeout(SimpleNamespace(_client=anthropic.Anthropic(api_key="k", timeout=own)), 3.0, 1.0)
        assert isinstance(made, anthropic.Timeout)
        assert (made.connect, made.read) == (1.0, 3.0)
