"""`capability-router explain PROMPT`: who would answer, why, and why not each other model. Nothing is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from capability_router.cli.files import FILE, ROUTER_YAML

_ATTACHED = {"image": "images", "pdf": "pdfs", "audio": "audios"}
_CALL = ("tenant", "task", "max_tokens", "chain", "pin", "quality_target", "max_cost_usd", "tool_choice", "stream")
_LISTS = ("tags", "allow", "deny", "require_tags")


@click.command()
@click.argument("prompt", required=False)
@click.option("--config", type=FILE, default=ROUTER_YAML, show_default=True, help="The router's configuration.")
@click.option("--policy", help="Decide by this policy in place of the configuration's.")
@click.option("--messages", type=FILE, help="A conversation as a JSON list of messages, in place of PROMPT.")
@click.option("--tools", type=FILE, help="Tools as a JSON list, as Chat Completions takes them.")
@click.option("--tool-choice", metavar="NAME", help="The tool that must be called; `required` = any.")
@click.option("--structured", is_flag=True, help="The answer must fit a JSON schema.")
@click.option("--schema", type=FILE, help="The JSON schema that it must fit.")
@click.option("--json-mode", is_flag=True, help="The answer must be JSON.")
@click.option(
    "--image", "images", multiple=True, metavar="FILE|URL|N", help="An image beside the prompt, or N of them."
)
@click.option("--pdf", "pdfs", multiple=True, metavar="FILE|URL|N", help="A PDF beside the prompt.")
@click.option("--audio", "audios", multiple=True, metavar="FILE|URL|N", help="Sound beside the prompt.")
@click.option("--reasoning", is_flag=True, help="The model is asked to reason.")
@click.option("--stream", is_flag=True, help="The answer is streamed.")
@click.option("--tokens", type=click.IntRange(0), help="Input tokens, instead of the estimate.")
@click.option("--max-tokens", type=click.IntRange(1), help="The longest answer that is asked for.")
@click.option("--tenant", help="For whom.")
@click.option("--task", help="What kind of task; recognised from the prompt if left out.")
@click.option("--chain", help="In which chain.")
@click.option("--tag", "tags", multiple=True, help="A tag of the request; rules may ask for it.")
@click.option("--quality-target", type=click.FloatRange(0, 1), help="Predicted quality to aim at, 0 to 1.")
@click.option("--max-cost-usd", type=click.FloatRange(0), help="Leave out models that may cost more than this.")
@click.option("--region", "regions", multiple=True, help="Where data may be processed.")
@click.option("--retention", help="How long data may be kept: zero, 30d.")
@click.option("--no-training", is_flag=True, help="Only models that are not trained on the data.")
@click.option("--pin", help="Only this model.")
@click.option("--allow", multiple=True, help="Only these models.")
@click.option("--deny", multiple=True, help="Not these models.")
@click.option("--require-tag", "require_tags", multiple=True, help="Only models whose card has this tag.")
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
@click.option("--sources", is_flag=True, help="The plan as JSON, and where each card has its fields from.")
def explain(
    prompt: str | None, config: Path, policy: str | None, messages: Path | None, tools: Path | None,
    schema: Path | None, tokens: int | None, as_json: bool, sources: bool, **stated: Any,
) -> None:  # fmt: skip
    """Print which model would answer a prompt, and why not the others.

    PROMPT "-" reads it from standard input. Nothing is sent, fetched or written. Exit code 1 if no model can take
    the request, or something is wrong.
    """
    from capability_router.cli.whatif import explain_view
    from capability_router.cli.whatif.options import asked
    from capability_router.config import SILENT
    from capability_router.router import Router

    attachments = {kind: stated[name] for kind, name in _ATTACHED.items()}
    options = _options(**stated)
    request = asked(
        prompt, messages, tools=tools, schema=schema, attachments=attachments, tokens=tokens, options=options
    )  # fmt: skip
    router = Router.from_config(config, telemetry=SILENT, policy=policy)
    plan = router.explain(request)
    if as_json or sources:
        found = {entry.card.id: dict(entry.sources) for entry in router.registry}
        click.echo(json.dumps({**plan.to_dict(), **({"sources": found} if sources else {})}, indent=2))
    else:
        explain_view.tell(plan, router.registry, request.service)
    if not plan.candidates:
        raise SystemExit(1)


def _options(*, structured: bool, json_mode: bool, reasoning: bool, **stated: Any) -> dict[str, Any]:
    """Keywords of the call and its routing terms; what was not said is left out."""
    told = {name: stated[name] for name in _CALL}
    told |= {name: list(stated[name]) for name in _LISTS}
    data = {"regions": list(stated["regions"]), "retention": stated["retention"]}
    if stated["no_training"]:
        data["training"] = False
    told["data"] = {name: value for name, value in data.items() if value not in (None, [])}
    if structured or json_mode:
        kind = "json_schema" if structured else "json_object"
        told["response_format"] = {"type": kind, **({"json_schema": _ANY} if structured else {})}
    if reasoning:
        told["reasoning_effort"] = "medium"
    return {name: value for name, value in told.items() if value or (value == 0.0 and value is not False)}


_ANY = {"name": "answer", "schema": {}}
