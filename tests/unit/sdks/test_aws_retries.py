"""A botocore client without its repetitions, over loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from capability_router.sdks.aws_retries import config_without_retries, without_retries

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # botocore's own


@pytest.fixture
def counted() -> Iterator[tuple[str, list[int]]]:
    calls: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            calls.append(1)
            self.send_response(503)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", calls
    server.shutdown()
    server.server_close()


def client(url: str, mode: str, **more: Any) -> Any:
    where = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b", "endpoint_url": url}
    return boto3.client("bedrock-runtime", config=Config(retries={"max_attempts": 2, "mode": mode, **more}), **where)


def converse(made: Any) -> None:
    with pytest.raises(ClientError):
        made.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "hi"}]}])


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_it_sends_once_and_the_given_one_as_before(
    counted: tuple[str, list[int]], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, calls = counted
    monkeypatch.setattr("time.sleep", lambda _: None)
    given = client(url, mode)
    converse(without_retries(given))
    assert len(calls) == 1
    converse(without_retries(without_retries(given)))
    assert len(calls) == 2
    converse(given)
    assert len(calls) == 5
    given.close()


def test_a_configuration_for_clients_that_are_made_later(counted: tuple[str, list[int]]) -> None:
    url, calls = counted
    given = Config(retries={"max_attempts": 5, "mode": "standard"}, read_timeout=7)
    once = config_without_retries(given)
    where = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b", "endpoint_url": url}
    made = boto3.client("bedrock-runtime", config=once, **where)
    converse(made)
    assert (len(calls), once.read_timeout, given.retries["max_attempts"]) == (1, 7, 5)
    made.close()


@pytest.mark.parametrize("other", [None, object(), "text", lambda: None])
def test_what_is_no_client_of_botocores_stays_itself(other: Any) -> None:
    assert without_retries(other) is other
    assert config_without_retries(other) is other
