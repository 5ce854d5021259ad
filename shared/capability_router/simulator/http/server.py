"""The HTTP face of one provider: POST /v1/chat/completions, GET /v1/models and /v1/models/{id}."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from capability_router.simulator.completion_app import CompletionApp
from capability_router.simulator.http.error_reply import HttpErrorReply, unknown_model, wrong_key
from capability_router.simulator.provider import ServedProvider


def provider_app(provider: ServedProvider) -> ASGIApp:
    """The ASGI application of one provider."""

    async def chat(request: Request) -> Any:  # a CompletionApp is an ASGI application: Starlette calls what it gets
        try:
            body = await request.body()
        except ClientDisconnect:  # left before it had asked anything: nothing to answer, nothing to book
            return _nothing
        return CompletionApp(provider, request.headers.get("authorization", ""), body)

    async def models(request: Request) -> Response:
        listed = {"object": "list", "data": [_model(provider, name) for name in provider.served]}
        return _refused(provider, request) or JSONResponse(listed)

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in provider.served:
            return _error(unknown_model(name[:100]))
        return _refused(provider, request) or JSONResponse(_model(provider, name))

    return Starlette(
        routes=[
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/models/{name:path}", model),
        ]
    )


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """The reply to a client that has left."""


def _model(provider: ServedProvider, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": provider.profile.name}


def _refused(provider: ServedProvider, request: Request) -> Response | None:
    key = provider.profile.api_key
    right = key is None or request.headers.get("authorization") == f"Bearer {key}"
    return None if right else _error(wrong_key())


def _error(refusal: HttpErrorReply) -> Response:
    return JSONResponse(refusal.body, refusal.status)
