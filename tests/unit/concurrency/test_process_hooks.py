"""Who is told of forks: all that last, though one of them fails, and when latches are free again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from capability_router.concurrency import process_hooks
from capability_router.concurrency.process_hooks import ProcessHooks, watch

if not hasattr(os, "fork"):
    pytest.skip("processes are not forked here", allow_module_level=True)


class Failing(ProcessHooks):
    def __init__(self, told: list[str]) -> None:
        self.told = told
        watch(self)

    def before_fork(self) -> None:
        self.told.append("before")
        raise ValueError

    def pause(self) -> None:
        self.told.append("pause")
        raise ValueError

    def after_fork(self) -> None:
        self.told.append("after")
        raise ValueError


def test_one_that_fails_keeps_no_other_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    told = list[str]()
    owners = [Failing(told) for _ in range(3)]
    process_hooks._tell(owners, ProcessHooks.before_fork)
    process_hooks._tell(owners, ProcessHooks.pause)
    process_hooks._tell(owners, ProcessHooks.after_fork)
    assert told == ["before"] * 3 + ["pause"] * 3 + ["after"] * 3
    assert "pause did not end well" in caplog.text


HELD = """
import os, sys
from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.concurrency.latch import Latch
held = Latch()
class Owner(ProcessHooks):
    def after_fork(self):
        os._exit(0 if held.take() else 3)  # it would wait for ever
owner = Owner()
watch(owner)
assert held.take()
child = os.fork() or os._exit(4)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_s_latches_are_free_when_it_is_told_of_the_fork() -> None:
    assert subprocess.run([sys.executable, "-c", HELD], check=False).returncode == 0  # noqa: S603 - the text above
