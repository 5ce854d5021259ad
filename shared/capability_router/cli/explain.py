"""`capability-router explain PROMPT`: who would answer, why, and why not each other model. Nothing is sent."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from capability_router.cli import screen


@click.command()
@click.argument("prompt")
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), default=Path("router.yaml"), show_default=True
)
@click.option(
    "--tools", type=click.Path(dir_okay=False, path_type=Path),
    help="Tools as a JSON list, as Chat Completions takes them.",
)  # fmt: skip
@click.option("--schema", is_flag=True, help="The answer must fit a JSON schema.")
@click.option("--image", "images", type=click.IntRange(0), default=0, help="Images beside the prompt.")
@click.option("--tokens", type=click.IntRange(0), help="Input tokens, instead of the estimate.")
@click.option("--max-tokens", type=click.IntRange(1), help="The longest answer that is asked for.")
@click.option("--tenant", help="For whom.")
@click.option("--require-tag", "tags", multiple=True, help="Only models with this tag; once for each.")
@click.option("--task", help="What kind of task; recognised from the prompt if left out.")
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON, and where each card has its fields from.")
def explain(prompt: str, config: Path, as_json: bool, **stated: Any) -> None:
    """Print the plan for PROMPT ("-" reads it from standard input): the ranking, and why not each other model."""
    from capability_router.router import Router

    text = sys.stdin.read() if prompt == "-" else prompt
    router = Router.from_config(config, telemetry={})
    plan = router.explain(_request(text, **stated))
    if as_json:
        sources = {entry.card.id: dict(entry.sources) for entry in router.registry}
        click.echo(json.dumps({**plan.to_dict(), "sources": sources}, indent=2))
    else:
        click.echo(plan.render(screen.width()))
    if not plan.candidates:
        raise SystemExit(1)


def _request(
    text: str, *, tools: Path | None, schema: bool, images: int, tokens: int | None, max_tokens: int | None,
    tenant: str | None, task: str | None, tags: tuple[str, ...],
) -> Any:  # fmt: skip
    from capability_router.endpoints.chat import request_from_chat

    picture = {"type": "image_url", "image_url": {"url": "data:"}}
    content = [{"type": "text", "text": text}, *[picture] * images] if images else text
    options: dict[str, Any] = {"tenant": tenant, "task": task, "max_tokens": max_tokens, "require_tags": tags}
    if schema:
        options["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {}}}
    request = request_from_chat(
        [{"role": "user", "content": content}], tools=_tools(tools), **{k: v for k, v in options.items() if v}
    )
    return request if tokens is None else replace(request, input_tokens=tokens)


def _tools(path: Path | None) -> list[dict[str, Any]]:
    from capability_router.errors import ConfigError

    if path is None:
        return []
    try:
        tools = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--tools {path}: {error}; give a file with a JSON list of tools") from error
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise ConfigError(f"--tools {path}: it must hold a JSON list of tools, as Chat Completions takes them")
    return tools
