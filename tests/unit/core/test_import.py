"""`import capability_router` is light: the standard library only, and no socket."""

from __future__ import annotations

import subprocess
import sys

LOADED = """
import socket, sys

def refuse(*_, **__):
    raise AssertionError("a socket was opened at import")

socket.socket = refuse
before = set(sys.modules)
import capability_router
from capability_router import ModelCard, NoEligibleModel, Plan, Price, Registry, Request, Router, routing
roots = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(roots - set(sys.stdlib_module_names) - {"capability_router"}))
"""


def test_importing_the_core_and_its_public_names_loads_nothing_from_third_parties() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
