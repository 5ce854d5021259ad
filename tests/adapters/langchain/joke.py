"""The object that a model is asked for: what openai_server.py gives in JSON mode fits it."""

from __future__ import annotations

from pydantic import BaseModel


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str
