"""Readers at the end of a process: who is waited for, how long, and who is let alone."""

import http.client
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from capability_router.execution.driving.race import AttemptThread
from capability_router.sdks import readers as module
from capability_router.sdks.reader import Reader
from capability_router.sdks.readers import Readers

TIMEOUT_S = 20.0


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from capability_router.execution.driving import race

    monkeypatch.setattr(race, "READERS", Readers())
    yield
    left = [thread for thread in threading.enumerate() if thread.name == "reader of a test"]
    for thread in left:
        thread.join(TIMEOUT_S)


class Looks:
    """In the place of `Event`: counts the pauses between two looks, without their time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(module, "Event", lambda: self)

    def wait(self, _: float) -> None:
        self.count += 1


class Spoke:
    """An attempt that gives a word whenever it is let, and notes that its chunks were closed."""

    keeps_time = False

    def __init__(self) -> None:
        self.let, self.closed = threading.Semaphore(0), threading.Event()

    def chunks(self) -> Iterator[str]:
        try:
            while self.let.acquire(timeout=TIMEOUT_S):
                yield "word"
        finally:
            self.closed.set()


def reading(target: threading.Event | socket.socket) -> Reader:
    reader = Reader()
    wait = target.wait if isinstance(target, threading.Event) else _Reads(target).read

    def until_ended() -> None:
        with suppress(SystemExit):  # raised in it by who does not wait any longer
            wait(TIMEOUT_S)

    reader.thread = threading.Thread(target=until_ended, name="reader of a test")
    reader.thread.start()
    return reader


class _Reads:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def read(self, _: float) -> None:
        self._sock.recv(1)


def test_nobody_under_way_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, readers = Looks(monkeypatch), Readers()
    assert readers.over is False
    readers.halt()
    assert (looks.count, readers.over) == (0, True)


def test_one_that_goes_on_and_on_is_waited_for_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, readers, may_end = Looks(monkeypatch), Readers(), threading.Event()
    reader = reading(may_end)
    readers.add(reader)
    readers.halt()
    assert reader.halted
    assert looks.count * module._PAUSE_S == pytest.approx(1.0)
    may_end.set()


def test_one_whose_server_is_silent_is_let_alone_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = socket.socketpair()
    with here, there:
        reader = reading(here)
        assert reader.thread is not None
        readers, looks = Readers(), Looks(monkeypatch)
        readers.add(reader)
        while not module.at_socket(reader):
            threading.Event().wait(0.001)
        readers.halt()
        assert looks.count * module._PAUSE_S == pytest.approx(0.05)
        there.send(b"x")
        reader.thread.join(TIMEOUT_S)


def test_one_that_has_not_yet_its_thread_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, readers = Looks(monkeypatch), Readers()
    readers.add(Reader())
    readers.halt()
    assert looks.count == module._LOOKS


def test_one_that_waits_for_the_rest_of_a_reply_is_woken() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        reply = http.client.HTTPResponse(here)
        reply.begin()
        readers, reader = Readers(), Reader()

        def read() -> None:
            with suppress(http.client.IncompleteRead):
                reply.read()
            readers.discard(reader)

        reader.thread = threading.Thread(target=read, name="reader of a test")
        readers.add(reader)
        reader.thread.start()
        while not module.at_socket(reader):
            threading.Event().wait(0.001)
        readers.halt()
        reader.thread.join(TIMEOUT_S)
        assert not reader.thread.is_alive()
        reply.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_none_of_its_parents_readers() -> None:
    reader = Reader()
    module.READERS.add(reader)
    try:
        child = os.fork()
        if not child:
            os._exit(0 if repr(module.READERS) == "<Readers, 0 under way>" else 1)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        module.READERS.discard(reader)


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="only Linux counts what a thread works")
def test_who_waits_for_the_end_of_the_process_does_not_work_meanwhile() -> None:
    readers, reader = Readers(), Reader()
    readers.add(reader)
    parked = threading.Thread(target=readers.park, args=(reader,), daemon=True)
    parked.start()
    while "1 under way" in repr(readers):
        threading.Event().wait(0.001)
    assert parked.ident is not None
    clock = time.pthread_getcpuclockid(parked.ident)
    before = time.clock_gettime(clock)
    threading.Event().wait(0.2)
    assert parked.is_alive()
    assert time.clock_gettime(clock) - before < 0.01


def test_a_runner_goes_on_to_its_next_chunk_and_stays_there() -> None:
    from capability_router.execution.driving.race import READERS

    box: queue.SimpleQueue = queue.SimpleQueue()
    attempt = Spoke()
    runner = AttemptThread(1, attempt, box)
    attempt.let.release()
    assert box.get(timeout=TIMEOUT_S).chunk == "word"
    attempt.let.release(2)
    READERS.halt()
    assert repr(READERS) == "<Readers, 0 under way>"
    attempt.let.release(9)
    assert runner.thread is not None
    runner.thread.join(0.05)
    assert runner.thread.is_alive()
    assert not attempt.closed.is_set()


class Ending(Spoke):
    """One that ends, or raises this, when it is let."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self._error = error

    def chunks(self) -> Iterator[str]:
        assert self.let.acquire(timeout=TIMEOUT_S)
        if self._error is not None:
            raise self._error
        yield from ()


@pytest.mark.parametrize("error", [None, ConnectionError("by peer")])
def test_one_that_comes_to_its_end_meanwhile_stays_there_too(error: Exception | None) -> None:
    from capability_router.execution.driving.race import READERS

    box: queue.SimpleQueue = queue.SimpleQueue()
    attempt = Ending(error)
    runner = AttemptThread(1, attempt, box)
    runner.halt()
    attempt.let.release()
    while repr(READERS) != "<Readers, 0 under way>":
        threading.Event().wait(0.001)
    assert runner.thread is not None
    runner.thread.join(0.05)
    assert runner.thread.is_alive()
    assert box.empty()


def test_one_that_waits_for_room_is_halted_where_it_is() -> None:
    from capability_router.execution.driving.race import READERS

    box: queue.SimpleQueue = queue.SimpleQueue()
    attempt = Spoke()
    AttemptThread(1, attempt, box)
    attempt.let.release(99)
    while box.qsize() < 64:
        threading.Event().wait(0.001)
    READERS.halt()
    assert repr(READERS) == "<Readers, 0 under way>"
    assert box.qsize() == 64


def test_who_has_ended_is_under_way_no_more() -> None:
    from capability_router.execution.driving.race import READERS

    box: queue.SimpleQueue = queue.SimpleQueue()
    runner = AttemptThread(1, Spoke(), box)
    assert repr(READERS) == "<Readers, 1 under way>"
    runner.stop()
    runner._attempt.let.release()
    assert runner.thread is not None
    runner.thread.join(TIMEOUT_S)
    assert repr(READERS) == "<Readers, 0 under way>"


def test_without_a_thread_for_it_there_is_no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    from capability_router.execution.driving import race

    def none_left(*_: object) -> threading.Thread:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(race.THREADS, "begin", none_left)
    with pytest.raises(RuntimeError, match="new thread"):
        AttemptThread(1, Spoke(), queue.SimpleQueue())
    assert repr(race.READERS) == "<Readers, 0 under way>"


def test_work_without_steps_is_ended_at_its_next_one() -> None:
    readers, told = Readers(), []
    begun = threading.Event()

    def work() -> None:
        try:
            with readers.at_work():
                begun.set()
                while True:
                    sum(range(100))
        except SystemExit:
            told.append("ended")

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(TIMEOUT_S)
    readers.halt()
    thread.join(TIMEOUT_S)
    assert (told, repr(readers)) == (["ended"], "<Readers, 0 under way>")
