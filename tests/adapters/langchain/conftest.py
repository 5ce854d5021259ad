from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from adapters.provider_server import ProviderServer

sys.path.insert(0, str(Path(__file__).parent))

from langsmith_backends import BACKENDS, Backend
from openai_server import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def providers() -> Iterator[ProviderServer]:
    """Speaks Anthropic's, Gemini's and Ollama's formats."""
    made = ProviderServer()
    yield made
    made.close()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Where LangSmith's client sends its runs, once for each way."""
    backend = BACKENDS[request.param]()
    yield backend
    backend.close()
    assert getattr(backend, "encodings", set()) <= {request.param}
