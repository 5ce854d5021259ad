"""Something that reads from a provider in a thread."""

from __future__ import annotations

from threading import Thread


class Reader:
    """Something that reads in a thread. Between two steps it checks `halted`, and then waits for the process to end.

    `over`: it has nothing left to do in its thread. That thread sets it, so until then the thread works for it alone.
    """

    halted = ended = over = False
    thread: Thread | None = None

    def halt(self) -> None:
        """Stop after the current step."""
        self.halted = True

    @property
    def ident(self) -> int | None:
        """Its thread's number while the thread is its own; None before and after.

        The system gives the number of an ended thread to a new one, and a pool gives the thread itself to other work.
        """
        thread = self.thread
        return thread.ident if thread is not None and not self.over and thread.is_alive() else None
