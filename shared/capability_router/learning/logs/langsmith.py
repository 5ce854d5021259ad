"""LangSmith: runs and feedback, as its SDK's `list_runs` and `list_feedback` or its command line export them.

A lesson is the run of a ChatRouter, or a model's own run outside of any. Feedback counts for it if it was given for the
run itself, for a run inside of it, or for a run around it that asked no other model.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any, NamedTuple

from capability_router.errors import ConfigError
from capability_router.learning.logs.omissions import Omissions
from capability_router.learning.logs.scored_request import TOO_MANY, Answer, ScoredRequest, hold
from capability_router.learning.logs.seen import Seen, terms_of, texts_of, with_text, without_text
from capability_router.learning.logs.values import NO_SCORE, name_of, number_of, score_of, tokens_of, usd_of
from capability_router.nearest import nearest

_DEEP = 100  # runs around runs
_STEPS = ("seq:step:", "map:key:", "graph:step:", "router:", "langsmith:")  # tags that no person wrote


class LangSmithRun(NamedTuple):
    """A run; `routed`: a ChatRouter's, `model` is "" for one that asks none itself."""

    parent: str
    routed: bool
    model: str
    request_id: str
    answer: Answer
    seen: Seen | None
    kind: str = ""


def is_one(item: Mapping[str, Any]) -> bool:
    """Whether an item is a run or feedback."""
    return "run_type" in item or ("run_id" in item and "key" in item)


class LangSmith:
    """Runs and feedback, in any order and from any number of files; `key` is the feedback that counts."""

    def __init__(self, omissions: Omissions, key: str | None) -> None:
        self._omissions, self._key = omissions, key
        self._runs: dict[str, LangSmithRun] = {}
        self._scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))  # key -> run -> scores

    def take(self, item: Mapping[str, Any]) -> None:
        """A run or a piece of feedback."""
        if "run_type" not in item:
            self._feedback(
                name_of(item.get("run_id")) or name_of(item.get("trace_id")),
                name_of(item.get("key")),
                item.get("score"),
            )
            return
        id = name_of(item.get("id")) or name_of(item.get("run_id"))
        if not id:
            self._omissions.note("runs without an id")
            return
        self._omissions.note(TOO_MANY, hold(self._runs, id, _run(item)))
        stats = item.get("feedback_stats")
        for key, told in stats.items() if isinstance(stats, Mapping) else ():
            if isinstance(told, Mapping) and told.get("avg") is not None:
                self._feedback(id, name_of(key), told["avg"])

    def _feedback(self, run: str, key: str, value: object) -> None:
        score = score_of(value)
        if not run or not key or value is None:
            self._omissions.note("feedback without a run or without a score")
        elif score is None:
            self._omissions.note(NO_SCORE)
        else:
            self._scores[key][run].append(score)

    def rows(self) -> Iterator[ScoredRequest]:
        """The answered requests that were scored. Raises ConfigError if no or no known feedback is said to count."""
        scores = self._chosen()
        below: dict[str, list[str]] = defaultdict(list)
        asked = {id: run for id, run in self._runs.items() if run.model and not self._router_of(run)}
        for id in asked:
            for above in self._above(id):
                below[above].append(id)
        every = {**self._of_attempts(scores), **scores}
        places = {id: place for id in asked if (place := self._scored_at(id, every))}
        alone = {id: place for id, place in places.items() if len(below.get(place, ())) <= 1}
        self._omissions.note("runs without feedback", len(asked) - len(places))
        whole = "runs of a trace that was scored as a whole, with other models in it"
        self._omissions.note(whole, len(places) - len(alone))
        yield from (_row(id, asked[id], fmean(every[place])) for id, place in alone.items())

    def _chosen(self) -> Mapping[str, list[float]]:
        if self._key is None and len(self._scores) > 1:
            keys = ", ".join(sorted(self._scores))
            raise ConfigError(f"the runs have several kinds of feedback ({keys}): say which one counts with --key")
        if self._key is not None and self._key not in self._scores:
            raise self._unknown(self._key)
        return self._scores.get(self._key or next(iter(self._scores), ""), {})

    def _unknown(self, key: str) -> ConfigError:
        if self._scores:
            return ConfigError(f"--key: no run has feedback {key!r}{nearest(key, sorted(self._scores))}")
        told = f"--key selects among several kinds of LangSmith feedback, and the logs have none, so none is {key!r}"
        return ConfigError(f"{told}: leave it out, or add the export of the feedback")

    def _above(self, id: str) -> Iterator[str]:
        """The runs around it, the nearest first; a circle comes to an end."""
        run = self._runs.get(id)
        for _ in range(_DEEP):
            if run is None or not run.parent:
                return
            yield run.parent
            run = self._runs.get(run.parent)

    def _router_of(self, run: LangSmithRun) -> str:
        """The router's run that it is an attempt of; "" where it is none."""
        id, above = run.parent, self._runs.get(run.parent)
        for _ in range(_DEEP):
            if above is None or above.routed:
                return id if above else ""
            id, above = above.parent, self._runs.get(above.parent)
        return ""

    def _scored_at(self, id: str, scores: Mapping[str, list[float]]) -> str:
        """Itself, else the nearest run around it that was scored; "" where none was."""
        return next((place for place in (id, *self._above(id)) if scores.get(place)), "")

    def _of_attempts(self, scores: Mapping[str, list[float]]) -> dict[str, list[float]]:
        """By router's run, what was said of the attempt that answered."""
        found: dict[str, list[float]] = defaultdict(list)
        for id, given in scores.items():
            run = self._runs.get(id)
            router = self._router_of(run) if run is not None and run.model else ""
            if run is not None and router and self._runs[router].model == run.model:
                found[router] += given
        return found


def _run(item: Mapping[str, Any]) -> LangSmithRun:
    extra = _mapping(item.get("extra"))
    facts = {
        **_mapping(item.get("metadata")),
        **_mapping(item.get("custom_metadata")),
        **_mapping(extra.get("metadata")),
    }
    parent, routed = name_of(item.get("parent_run_id")), name_of(facts.get("router_model"))
    if routed and item.get("run_type") != "llm":
        tokens, usd = tokens_of(facts.get("router_output_tokens")), usd_of(facts.get("router_cost_usd"))
        request = name_of(facts.get("router_request_id"))
        return LangSmithRun(
            parent, True, routed, request, Answer(0.0, tokens, usd), _seen(item, facts, extra), _kind(facts)
        )
    model = "" if item.get("run_type") != "llm" or item.get("error") else _model(facts, extra)
    seen = _seen(item, facts, extra) if model else None
    usd, tokens = usd_of(item.get("total_cost")), _tokens(item)
    return LangSmithRun(parent, False, model, "", Answer(0.0, tokens, usd), seen, _kind(facts))


def _model(facts: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    """As a router would name it: the candidate's id, else provider/model."""
    asked = _mapping(extra.get("invocation_params"))
    named = (facts.get("ls_model_name"), asked.get("model"), asked.get("model_name"))
    model = next((name for value in named if (name := name_of(value))), "")
    provider = name_of(facts.get("ls_provider"))
    return name_of(facts.get("router_candidate")) or (f"{provider}/{model}" if provider and model else model)


def _tokens(item: Mapping[str, Any]) -> int | None:
    usage = _mapping(item.get("token_usage"))
    for told in (item.get("completion_tokens"), usage.get("completion_tokens")):
        if told:
            return tokens_of(told)
    return None


def _seen(item: Mapping[str, Any], facts: Mapping[str, Any], extra: Mapping[str, Any]) -> Seen:
    tags = item.get("tags")
    written = [t for t in tags if isinstance(t, str) and not t.startswith(_STEPS)] if isinstance(tags, list) else []
    terms = terms_of({**facts, "tags": written})
    texts = texts_of(item.get("inputs"))
    if not texts:
        return without_text(terms, number_of(item.get("prompt_tokens")) or 0.0, ())
    asked = _mapping(extra.get("invocation_params"))
    tools = asked.get("tools")
    told = json.dumps(tools) if isinstance(tools, list) and tools else ""
    return with_text(texts, terms, tools=told, schema=bool(asked.get("response_format")), turns=len(texts))


def _kind(facts: Mapping[str, Any]) -> str:
    return name_of(facts.get("task"))


def _row(id: str, run: LangSmithRun, score: float) -> ScoredRequest:
    assert run.seen is not None  # noqa: S101 - a run with a model has been looked at
    row = ScoredRequest(run.request_id or id, "", run.seen.sketch, run.seen.size, run.seen.worded, run.kind)
    row.answers[run.model] = run.answer._replace(score=score)
    return row


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
