"""Timeouts of single deployments and of all: here a timeout for all takes precedence over an endpoint's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capability_router.migration.deployment import Deployment
from capability_router.migration.endpoint_resolver import Fields, as_endpoint
from capability_router.migration.note import ImportNotes

Limits = Mapping[str, Any]


def timed(members: Sequence[Deployment], common: Limits, notes: ImportNotes) -> tuple[dict[str, Fields], Limits]:
    """(id -> its entry's fields, the timeouts for all). If they differ, each endpoint gets its own."""
    limits = {each.id: {**common, **each.timeouts} for each in members}
    first = limits[members[0].id]
    if all(own == first for own in limits.values()):
        return {each.id: dict(each.fields) for each in members}, first
    return {each.id: _limited(each, limits[each.id], notes) for each in members}, {}


def _limited(each: Deployment, own: Limits, notes: ImportNotes) -> Fields:
    fields = dict(each.fields)
    found = fields.get("endpoint") or as_endpoint(each.named)
    if not own:
        return fields
    if found is None:
        notes.left_out(
            (*each.place, "litellm_params", "model"),
            "only an `endpoint` has time limits of its own, and those of the models differ",
            "bound requests by `deadline_s`, or all models alike by `timeouts`",
        )  # fmt: skip
        return fields
    if "endpoint" not in fields:
        fields.pop("model")
    return {"endpoint": {**found, "timeouts": dict(own)}, **{k: v for k, v in fields.items() if k != "endpoint"}}
