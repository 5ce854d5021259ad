"""What is written to an output whose encoding lacks a sign, such as a pipe on Windows (cp1252)."""

from __future__ import annotations

import codecs
import io
import sys

ALIKE = {**dict(zip("▁▂▃▄▅▆▇█", ".:-=+*#@", strict=True)), "–": "-", "…": "...", "×": "x", "·": ".", "±": "+-"}
"""Sign -> what stands for it. All others become `?`."""
_NAME = "capability_router.alike"


def replace_unencodable() -> None:
    """From now on no sign that is printed raises UnicodeEncodeError; where the encoding has it, it stays as it is."""
    codecs.register_error(_NAME, _alike)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors=_NAME)


def _alike(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(ALIKE.get(sign, "?") for sign in lacking), error.end
