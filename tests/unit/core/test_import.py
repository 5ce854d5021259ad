"""`import capability_router` is light: the standard library only, and no socket."""

from __future__ import annotations

import subprocess
import sys

LOADED = """
import sys

def refuse(event, _):
    if event.startswith("socket."):
        raise AssertionError(f"{event} at import")

sys.addaudithook(refuse)
before = set(sys.modules)
import capability_router
from capability_router import ModelCard, NoEligibleModel, Plan, Price, Registry, Request, Router, routing
roots = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(roots - set(sys.stdlib_module_names) - {"capability_router"}))
"""


BUILT = """
import sys
import capability_router
early = {"asyncio", "ssl", "sqlite3", "http", "email"} & set(sys.modules)
from capability_router import Router
entry = {"id": "a", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}, "price": {
    "input_mtok": 1, "output_mtok": 1}}
budgets = [{"scope": "global", "limit_usd": 1}]
Router(models=[entry], budgets=budgets, store="memory://").close()
late = {"sqlite3", "redis", "httpx", "httpcore", "click", "rich", "starlette", "pyarrow", "aiohttp",
    "phonenumbers", "capability_router.screening.patterns"} & set(sys.modules)
print(sorted(early), sorted(late))
"""


def test_importing_the_core_and_its_public_names_loads_nothing_from_third_parties() -> None:
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the text above
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_a_router_loads_no_store_and_no_client_that_it_was_not_asked_for() -> None:
    command = [sys.executable, "-c", BUILT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the text above
    assert (done.returncode, done.stdout.strip()) == (0, "[] []"), done.stderr
