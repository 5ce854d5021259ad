"""The connection of an attempt that is given up is shut, and no other one. After a fork, the attempts are the
parent's.
"""

from __future__ import annotations

import gc
import http.client
import os
import queue
import socket
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from capability_router.execution.driving.race import AttemptThread
from capability_router.sdks import abandoned_responses as module
from capability_router.sdks.abandoned_responses import ABANDONED
from capability_router.sdks.reader import Reader
from capability_router.sdks.readers import Readers

TIMEOUT_S = 20.0
HALF, REST = b"half of it, ", b"and the rest"


class Download:
    """A thread that reads the body of a reply. The server has sent half of it, and sends the rest when it is asked to.

    `after` is called in the thread once the body is read.
    """

    def __init__(self, after: Callable[[], object] = lambda: None) -> None:
        self._here, self._there = socket.socketpair()
        self._there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(HALF + REST), HALF))
        self._after, self.got = after, b""
        self.thread = threading.Thread(target=self._read)
        self.thread.start()
        mine = Reader()
        mine.thread = self.thread
        while not module.at_socket(mine):
            threading.Event().wait(0.001)

    def _read(self) -> None:
        reply = http.client.HTTPResponse(self._here)
        reply.begin()
        try:
            self.got = reply.read()
        except http.client.IncompleteRead as cut:
            self.got = cut.partial
        self._after()

    def whole(self) -> bytes:
        """What was read of it, after the server has sent the rest."""
        self.send_rest()
        self.thread.join(TIMEOUT_S)
        return self.got

    def send_rest(self) -> None:
        self._there.sendall(REST)

    def close(self) -> None:
        self._there.close()
        self.thread.join(TIMEOUT_S)
        self._here.close()


@pytest.fixture
def download() -> Iterator[Download]:
    one = Download()
    yield one
    one.close()


class Waiting:
    """An attempt whose first chunk comes when it is let."""

    keeps_time = False

    def __init__(self) -> None:
        self.let = threading.Event()

    def chunks(self) -> Iterator[str]:
        assert self.let.wait(TIMEOUT_S)
        yield "word"


class Settings(Waiting):
    """Also a client whose settings are read as attributes, and which fails on a name that it doesn't have."""

    def __init__(self) -> None:
        super().__init__()
        self.settings = {"url": "http://127.0.0.1"}
        self.begun = threading.Event()

    def __getattr__(self, name: str) -> str:
        return self.settings[name]

    def chunks(self) -> Iterator[str]:
        self.begun.set()
        yield from super().chunks()


def given_up() -> tuple[AttemptThread[str], Waiting]:
    attempt = Waiting()
    runner: AttemptThread[str] = AttemptThread(1, attempt, queue.SimpleQueue())
    runner.stop()
    return runner, attempt


def ended(runner: AttemptThread[str], attempt: Waiting) -> threading.Thread:
    attempt.let.set()
    assert runner.thread is not None
    runner.thread.join(TIMEOUT_S)
    return runner.thread


def test_the_number_of_an_ended_thread_is_another_ones(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems give numbers again, and soon: here the next thread has that of the one whose attempt was given up."""
    first = given_up()
    monkeypatch.setattr(ended(*first), "_ident", download.thread.ident)
    ended(*given_up())
    assert download.whole() == HALF + REST


def test_a_thread_that_works_for_another_call_by_now_is_left_alone(download: Download) -> None:
    """So it is in a pool."""
    reader = Reader()
    reader.thread = download.thread
    Readers().discard(reader)
    ABANDONED.add(reader)
    assert download.whole() == HALF + REST


def test_a_connection_whose_reply_was_just_read_to_its_end_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another call may have taken it from its pool."""
    read, go_on = threading.Event(), threading.Event()

    def after() -> None:
        read.set()
        assert go_on.wait(TIMEOUT_S)

    download = Download(after)
    seen = module._reads_body

    def ends_now(frames: object) -> bool:
        found = seen(frames)
        download.send_rest()
        assert read.wait(TIMEOUT_S)
        return found

    monkeypatch.setattr(module, "_reads_body", ends_now)
    reader = Reader()
    reader.thread = download.thread
    assert not module.shut(reader)
    assert download._here.send(b"the next request") == len(b"the next request")
    go_on.set()
    download.thread.join(TIMEOUT_S)
    download.close()


def test_the_body_that_an_attempt_waits_for_is_cut_off_when_it_is_given_up(download: Download) -> None:
    reader = Reader()
    reader.thread = download.thread
    ABANDONED.add(reader)
    download.thread.join(TIMEOUT_S)
    assert download.got == HALF


def test_an_attempt_that_was_given_up_is_kept_no_longer_than_by_its_thread() -> None:
    runner, attempt = given_up()
    kept = weakref.ref(runner)
    ended(runner, attempt)
    del runner, attempt
    gc.collect()
    assert kept() is None


def test_an_attempt_is_given_up_whatever_the_clients_own_attributes_raise() -> None:
    attempt = Settings()
    runner: AttemptThread[str] = AttemptThread(1, attempt, queue.SimpleQueue())
    assert attempt.begun.wait(TIMEOUT_S)
    runner.stop()
    ended(runner, attempt)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_waits_for_no_thread_of_its_parent() -> None:
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with ABANDONED._lock:
            held.set()
            over.wait(30)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert held.wait(30)
    child = os.fork()
    if child == 0:
        os._exit(0 if ABANDONED._lock.acquire(blocking=False) else 1)
    over.set()
    thread.join(30)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
