"""The stack frames of an exception's traceback, and the packages that they belong to."""

from __future__ import annotations

from traceback import walk_tb
from types import FrameType


def home(frame: FrameType) -> str:
    """The package of a frame's code: "ollama"."""
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def frames_of(error: BaseException) -> list[FrameType]:
    """The frames that the error came through, the outermost first."""
    return [frame for frame, _ in walk_tb(error.__traceback__)]
