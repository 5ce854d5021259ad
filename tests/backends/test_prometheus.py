"""The dashboard's queries, put to Prometheus itself after it has scraped the real exporter."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from adapters.otel_fleet import Fleet
from backends.served import Served, free_port
from backends.work import fleet_of
from prometheus_client import start_http_server
from telemetry.kept import Kept

DASHBOARD = Path(__file__).parents[2] / "docs" / "dashboards" / "capability-router.json"
VARIABLES = {"$__rate_interval": "20s", "$__range": "5m", "$__interval": "5s", "$router": ".*"}
CONFIG = """global: {{scrape_interval: 1s}}
scrape_configs: [{{job_name: router, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Served]:
    program = os.environ.get("PROMETHEUS") or shutil.which("prometheus")
    assert program, "Prometheus is not installed: apt-get install prometheus, or say PROMETHEUS=its/path"
    port = free_port()
    exporter, thread = start_http_server(port, "127.0.0.1")
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(port=port))
    flags = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:{port}"]
    made = Served([program, *flags], "/-/ready", tmp_path, {})
    yield made
    made.close()
    exporter.shutdown()
    exporter.server_close()
    thread.join()


def queries() -> Iterator[tuple[str, str]]:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"]
            for name, value in VARIABLES.items():
                query = query.replace(name, value)
            yield panel["title"], query


async def _traffic(fleet: Fleet) -> None:
    llm = fleet.made(otel=True)
    until = time.monotonic() + 15
    while time.monotonic() < until:  # a rate needs values that grow between scrapes
        await fleet.ask(llm, "stream")
        time.sleep(0.5)  # noqa: ASYNC251 - nothing else is in this loop


async def test_every_panel_shows_something(prometheus: Served, otel: Kept) -> None:
    async with fleet_of("langchain") as fleet:
        fleet.budgets = [{"scope": "global", "limit_usd": 1, "window": "day"}]
        await _traffic(fleet)
        asked = {f"{title}: {query}": _answer(prometheus.url, query) for title, query in queries()}
        assert len(asked) > 8
        assert [title for title, rows in asked.items() if not rows] == []
        not_numbers = [title for title, rows in asked.items() if all(row["value"][1] == "NaN" for row in rows)]
        assert not_numbers == []
    assert _answer(prometheus.url, 'capability_router_breaker_state{capability_router_router="langchain"}')


def _answer(url: str, query: str) -> list[dict[str, Any]]:
    told = httpx.get(f"{url}/api/v1/query", params={"query": query}).json()
    assert told["status"] == "success", (query, told)
    rows: list[dict[str, Any]] = told["data"]["result"]
    return rows
