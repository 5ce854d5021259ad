"""ChatWatsonx's retries, which no field of the model reaches: they are those of its SDK."""

from __future__ import annotations

from typing import Any

from capability_router.connections.watsonx import sending_once


def silence(model: Any) -> None:
    """Give the model an SDK object that repeats nothing, over the same connections. Does nothing to other versions."""
    outer: Any = getattr(model, "watsonx_model", None)
    if (quiet := sending_once(outer)) is not outer:
        model.watsonx_model = quiet
