"""Server-sent events: bytes in, `data` payloads out."""

from __future__ import annotations

DONE = b"[DONE]"


class SseParser:
    """Incremental: bytes may be cut anywhere. Lines end in LF, CRLF or CR; comments are skipped.

    `feed` gives the payloads of the events that are whole by now; `close` that of a last event
    whose blank line never came. A payload of several `data:` lines is joined by line feeds.
    """

    __slots__ = ("_after_cr", "_data", "_first", "_rests", "events", "seen")

    def __init__(self) -> None:
        self._rests: list[bytes] = []
        self._after_cr = False  # a line feed that comes next belongs to the end of the line before
        self._data: list[bytes] = []
        self._first = True
        self.events = 0
        self.seen = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads completed by these bytes."""
        self.seen += len(data)
        if self._after_cr and data:
            data, self._after_cr = data.removeprefix(b"\n"), False
        if b"\n" not in data and b"\r" not in data:
            self._rests.append(data)  # a long line in many pieces must not be joined at each
            return []
        text = b"".join((*self._rests, data)) if self._rests else data
        self._rests.clear()
        if b"\r" in text:
            self._after_cr = text.endswith(b"\r")
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = text.split(b"\n")
        if lines[-1]:
            self._rests.append(lines[-1])
        return self._payloads(lines[:-1])

    def _payloads(self, lines: list[bytes]) -> list[bytes]:
        out = []
        for line in lines:
            if line:
                self._line(line)
            elif self._data:
                out.append(self._joined())
        return out

    def _line(self, line: bytes) -> None:
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line == b"data":
            self._data.append(b"")

    def _joined(self) -> bytes:
        payload = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data = []
        self.events += 1
        return payload

    def close(self) -> list[bytes]:
        """The payload of an event whose end was cut off, if its lines are whole."""
        out = self.feed(b"\n")
        return [*out, self._joined()] if self._data else out
