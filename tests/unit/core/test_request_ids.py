from __future__ import annotations

import os
import threading

import pytest

from capability_router import Request
from capability_router.request import _AT_ONCE


def ids(count: int) -> list[str]:
    return [Request(("hi",)).id for _ in range(count)]


def test_each_request_has_an_id_of_its_own_in_every_thread() -> None:
    drawn: list[str] = []
    threads = [threading.Thread(target=lambda: drawn.extend(ids(3 * _AT_ONCE))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == len(drawn) == 12 * _AT_ONCE
    assert all(len(id) == 32 and int(id, 16) >= 0 for id in drawn)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are Unix's")
def test_the_child_of_a_fork_draws_its_own() -> None:
    ids(1)  # from here on there is something left to be given
    reading, writing = os.pipe()
    child = os.fork()
    if not child:  # what the parent would give next
        try:
            os.write(writing, " ".join(ids(3)).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as told:
        theirs = told.read().split()
    assert len(theirs) == 3
    assert not set(theirs) & set(ids(2 * _AT_ONCE))
