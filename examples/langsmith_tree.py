"""The runs of a trace as a tree for the terminal: what LangSmith shows, and the decision below each router's run."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

_WIDTHS = (28, 8, 21, 13, 16, 9)
_HEAD = ("run", "type", "status", "model", "tokens", "cost")
_LINE = sum(_WIDTHS)


def render(runs: Sequence[dict[str, Any]]) -> str:
    """One tree per root run, in the order of their beginnings."""
    lines = [_columns(_HEAD), "-" * _LINE]
    for root in (run for run in runs if run.get("parent_run_id") is None):
        lines += [*_below(runs, root, 0), ""]
    return "\n".join(lines)


def _below(runs: Sequence[dict[str, Any]], run: dict[str, Any], depth: int) -> Iterator[str]:
    told = run["extra"]["metadata"]
    yield _columns(("  " * depth + run["name"], run["run_type"], *_figures(run, told)))
    for word, lines in _decision(told).items():
        for i, line in enumerate(lines):
            yield from _wrapped("  " * (depth + 1), "" if i else word, line)
    for child in (child for child in runs if child.get("parent_run_id") == run["id"]):
        yield from _below(runs, child, depth + 1)


def _decision(told: dict[str, Any]) -> dict[str, list[str]]:
    """What the router has noted on its own run: flat metadata, to filter by and to read."""
    if "router_policy" not in told:
        return {}
    return {
        "chosen": [f"{told.get('router_model', 'none')} ({told['router_policy']})"],
        "because": [told["router_reason"]],
        "failed": told.get("router_faults", "").split("; "),
        "not taken": told.get("router_refusals", "").split("; "),
    }


def _figures(run: dict[str, Any], told: dict[str, Any]) -> tuple[str, str, str, str]:
    status = f"error: {told.get('router_fault', '')}".rstrip(": ") if run.get("error") else "success"
    usage, cost = told.get("usage_metadata"), told.get("router_cost_usd")
    tokens = f"{usage['input_tokens']} in, {usage['output_tokens']} out" if usage else ""
    return status, told.get("ls_model_name", ""), tokens, "" if cost is None else f"${cost:.6f}"


def _columns(cells: Sequence[str]) -> str:
    return "".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _wrapped(indent: str, word: str, text: str) -> list[str]:
    first, others = f"{indent}| {word:10}", f"{indent}| {'':12}"
    return textwrap.wrap(text, _LINE, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
