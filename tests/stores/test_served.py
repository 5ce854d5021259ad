"""A server that is stopped as containers are, by SIGTERM: uvicorn dies of it in the end, and `atexit` is not run."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import pytest

from capability_router.clock import SystemClock
from capability_router.stores.sqlite.store import SqliteStore

CHILD = Path(__file__).with_name("serving_child.py")
CALLS = 5


@pytest.mark.skipif(sys.platform == "win32", reason="a socket is handed to the server")
def test_a_router_that_the_lifespan_closes_has_booked_all_and_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, str(CHILD), f"sqlite:///{path}", str(listening.fileno())]
        with subprocess.Popen(command, pass_fds=[listening.fileno()]) as server:  # noqa: S603 - our own words
            address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            for _ in range(CALLS):
                with urlopen(address, timeout=60) as answer:
                    assert answer.read() == b"an answer"
            server.terminate()  # within the tenth of a second in which the ledger writes nothing
            assert server.wait(60) == -signal.SIGTERM
    store = SqliteStore(path, SystemClock.unix)
    (row,) = store.budgets.standings()
    assert (row.spent > 0, row.reserved) == (True, 0)
    assert store.reports.reports() == []
    store.close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT COUNT(*) FROM ledger_calls").fetchone() == (CALLS,)
