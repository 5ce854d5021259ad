"""Async generators within others, of which the event loop keeps no list.

At its end a loop closes all generators that it has seen begin, all at once. One within another is then closed by two:
by the loop, and by the one around it, which waits for that. The second finds it "already running", and whoever
left a stream half way reads of it in the log. So the loop is told of the outermost alone. One that is forgotten is
still closed in a task of the loop, as every generator is.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from typing import Any

END: Any = object()
"""What a step gives where there is no further chunk."""


def first_step(chunks: AsyncGenerator[Any, None]) -> Any:
    """The first step, to be awaited, of a generator that the caller closes himself."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, hooks.finalizer)
    try:
        return anext(chunks, END)
    finally:
        sys.set_asyncgen_hooks(hooks.firstiter, hooks.finalizer)
