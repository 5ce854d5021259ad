"""Switches off ChatWatsonx's retries, which are in its SDK and can't be set by a field of the model."""

from __future__ import annotations

from typing import Any

from capability_router.connections.watsonx import sending_once


def silence(model: Any) -> None:
    """Give the model an SDK object that does not retry, over the same connections. Other versions are not changed."""
    outer: Any = getattr(model, "watsonx_model", None)
    if (quiet := sending_once(outer)) is not outer:
        model.watsonx_model = quiet
