"""What a model refuses before it starts: features it lacks, and more tokens than it holds."""

from __future__ import annotations

from capability_router.simulator.http.error_reply import HttpErrorReply, too_long, unsupported
from capability_router.simulator.profile import SimulatedModel
from capability_router.simulator.prompt import Prompt

_MEDIA = {"image": "image_url", "audio": "input_audio", "pdf": "file"}


def refuse_unsupported(prompt: Prompt, profile: SimulatedModel) -> None:
    """Raises HttpErrorReply (400) when the model cannot take the prompt."""
    if prompt.tools and not profile.tool_calling:
        raise _parameter("tools")
    if prompt.form == "json_schema" and not profile.structured_output:
        raise _format("json_schema")
    if prompt.form == "json_object" and not profile.json_mode:
        raise _format("json_object")
    if prompt.reasoning_effort and not profile.reasoning_output:
        raise _parameter("reasoning_effort")
    if prompt.stream and not profile.streaming:
        raise _parameter("stream")
    _refuse_media(prompt, profile)
    _refuse_size(prompt, profile)


def _refuse_media(prompt: Prompt, profile: SimulatedModel) -> None:
    for kind in sorted(prompt.media):
        if not getattr(profile, f"{kind}_inputs"):
            part = _MEDIA[kind]
            raise unsupported("messages", f"Invalid content type. {part} is only supported by certain models.")


def _refuse_size(prompt: Prompt, profile: SimulatedModel) -> None:
    limit, asked = profile.max_output_tokens, prompt.max_tokens or 0
    if asked > limit:
        message = f"max_tokens is too large: {asked}. This model supports at most {limit} completion tokens."
        raise HttpErrorReply(400, message, param="max_tokens", code="invalid_value")
    if prompt.input_tokens + asked > profile.context_window:
        raise too_long(profile.context_window, prompt.input_tokens, prompt.max_tokens)


def _parameter(name: str) -> HttpErrorReply:
    return unsupported(name, f"Unsupported parameter: '{name}' is not supported with this model.")


def _format(kind: str) -> HttpErrorReply:
    return unsupported(
        "response_format", f"Invalid parameter: 'response_format' of type '{kind}' is not supported with this model."
    )
