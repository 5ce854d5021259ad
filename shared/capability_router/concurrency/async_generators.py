"""Hides async generators that run inside another one from the event loop.

When it closes, a loop closes all generators that it has seen start, at the same time. An inner generator is then closed
twice: by the loop, and by the generator around it, which waits for that. The second attempt finds it "already running",
and the log shows that error for every stream that was left half way. So the loop is shown only the outermost generator.
A forgotten inner one is still closed in a task of the loop, as every generator is.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from typing import Any

END: Any = object()
"""The result of a step when there is no further chunk."""


def first_step(chunks: AsyncGenerator[Any, None]) -> Any:
    """The first step, to be awaited, of a generator that the caller closes itself."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, hooks.finalizer)
    try:
        return anext(chunks, END)
    finally:
        sys.set_asyncgen_hooks(hooks.firstiter, hooks.finalizer)
