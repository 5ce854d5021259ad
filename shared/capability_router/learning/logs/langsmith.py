"""LangSmith: runs and feedback, as its SDK's `list_runs` and `list_feedback` or its command line export them.

A lesson is the run of a ChatRouter, or a model's own run outside of any. Feedback counts for it if it was given for the
run itself, for a run inside of it, or for a run around it that asked no other model. Of several runs of one model in a
run that was scored as a whole, the first counts. Of feedback that was changed the newest version counts, and a run's
own mean of its feedback only where no such feedback is in the logs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from statistics import fmean
from typing import Any, NamedTuple

from capability_router.errors import ConfigError
from capability_router.learning.logs.logged_features import LoggedFeatures, terms_of, texts_of, with_text, without_text
from capability_router.learning.logs.omissions import Omissions
from capability_router.learning.logs.scored_request import TOO_MANY, ScoredAnswer, ScoredRequest, hold
from capability_router.learning.logs.values import UNSCORED, name_of, number_of, score_of, tokens_of, usd_of
from capability_router.nearest import nearest

_DEEP = 100  # runs around runs
_MEAN = "mean"  # in the place of a feedback's id: what a run says of all its feedback
_STEPS = ("seq:step:", "map:key:", "graph:step:", "router:", "langsmith:")  # tags that no person wrote


class LangSmithRun(NamedTuple):
    """A run; `routed`: a ChatRouter's, `model` is "" for one that asks none itself, or, if `nameless`, names none.

    `began`: as a text that sorts by time.
    """

    parent: str
    routed: bool
    model: str
    request_id: str
    answer: ScoredAnswer
    seen: LoggedFeatures | None
    kind: str = ""
    nameless: bool = False
    began: str = ""


def is_one(item: Mapping[str, Any]) -> bool:
    """Whether an item is a run or feedback."""
    return "run_type" in item or ("run_id" in item and "key" in item)


class _Given:
    """The feedback of one kind on one run: scores, and of what is no score, why."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[str, float | str]] = {}  # by its id: when it was changed last, and the score

    def take(self, score: float | str, id: str, at: str) -> None:
        """`at`: as a text that sorts by time. Without an id it is feedback of its own."""
        name = id or f"{len(self._newest)} without id"
        if at >= self._newest.get(name, ("", 0.0))[0]:
            self._newest[name] = at, score

    @property
    def all(self) -> list[float | str]:
        """The run's own mean only if nothing else is known."""
        return [score for id, (_, score) in self._newest.items() if id != _MEAN or len(self._newest) == 1]


class LangSmithRows:
    """Runs and feedback, in any order and from any number of files; `key` is the feedback that counts."""

    def __init__(self, omissions: Omissions, key: str | None) -> None:
        self._omissions, self._key = omissions, key
        self._runs: dict[str, LangSmithRun] = {}
        self._given: dict[str, dict[str, _Given]] = defaultdict(lambda: defaultdict(_Given))  # key -> run -> told of it

    def take(self, item: Mapping[str, Any]) -> None:
        """A run, with those that it holds, or a piece of feedback."""
        if "run_type" not in item:
            self._feedback(
                name_of(item.get("run_id")) or name_of(item.get("trace_id")),
                name_of(item.get("key")),
                item.get("score"),
                name_of(item.get("id")),
                name_of(item.get("modified_at")) or name_of(item.get("created_at")),
            )
            return
        waiting = [item]
        while waiting:
            run = waiting.pop()
            self._run(run)
            waiting += _inner(run)

    def _run(self, item: Mapping[str, Any]) -> None:
        id = _id(item)
        if not id:
            self._omissions.note("runs without an id")
            return
        self._omissions.note(TOO_MANY, hold(self._runs, id, _run(item)))
        stats = item.get("feedback_stats")
        for key, told in stats.items() if isinstance(stats, Mapping) else ():
            if isinstance(told, Mapping) and told.get("avg") is not None:
                self._feedback(id, name_of(key), told["avg"], _MEAN)

    def _feedback(self, run: str, key: str, value: object, id: str, at: str = "") -> None:
        score = score_of(value)
        if not run or not key or score == UNSCORED:
            self._omissions.note("feedback without a run or without a score")
        else:
            self._given[key][run].take(score, id, at)

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
        nameless = (run for run in self._runs.values() if run.nameless and not self._router_of(run))
        self._omissions.note("runs of models that don't say which model", sum(1 for _ in nameless))
        self._omissions.note("runs without feedback", len(asked) - len(places))
        yield from (_row(id, asked[id], fmean(every[place])) for id, place in self._meant(places, asked, below))

    def _meant(
        self, places: Mapping[str, str], asked: Mapping[str, LangSmithRun], below: Mapping[str, list[str]]
    ) -> Iterator[tuple[str, str]]:
        """The run that the score of each place is about, with the place: itself, else the first of the only model."""
        first: dict[str, str] = {}
        for id, place in sorted(places.items(), key=lambda each: asked[each[0]].began):
            within = {asked[at].model for at in (place, *below.get(place, ())) if at in asked}
            if id != place and len(within) > 1:
                self._omissions.note("runs of a trace that was scored as a whole, with other models in it")
            elif id != place and (place in asked or place in first):
                self._omissions.note("runs of a trace that was scored as a whole, after the first one of their model")
            else:
                first[place] = id
        return ((id, place) for id, place in places.items() if first.get(place) == id)

    def _chosen(self) -> dict[str, list[float]]:
        """By run, the scores of the feedback that counts; what is left out of it is noted."""
        known = self._runs.keys() | {run.parent for run in self._runs.values()}
        counting, found = self._counting(known), dict[str, list[float]]()
        for key, id, told in ((key, id, told) for key, given in self._given.items() for id, told in given.items()):
            if key != counting and self._key is not None:
                continue
            if id not in known:
                self._omissions.note("feedback on runs that are not in the logs", len(told.all))
            elif scores := [each for each in told.all if not isinstance(each, str)]:
                found[id] = scores
            for flaw in (each for each in told.all if isinstance(each, str) and id in known):
                self._omissions.note(flaw)
        return found

    def _counting(self, known: Set[str]) -> str:
        """The key of the feedback that counts, which of several kinds is to be said; "" where there is none."""
        if self._key is not None:
            if self._key not in self._given:
                raise self._unknown(self._key)
            return self._key
        keys = sorted(key for key, given in self._given.items() if not known.isdisjoint(given))
        if len(keys) > 1:
            told = f"the runs have several kinds of feedback ({', '.join(keys)})"
            raise ConfigError(f"{told}: say which one counts with --key")
        return keys[0] if keys else ""

    def _unknown(self, key: str) -> ConfigError:
        if self._given:
            return ConfigError(f"--key: no run has feedback {key!r}{nearest(key, sorted(self._given))}")
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
    began = name_of(item.get("start_time"))
    parent, routed = name_of(item.get("parent_run_id")), name_of(facts.get("router_model"))
    if routed and item.get("run_type") != "llm":
        tokens, usd = tokens_of(facts.get("router_output_tokens")), usd_of(facts.get("router_cost_usd"))
        request = name_of(facts.get("router_request_id"))
        return LangSmithRun(
            parent,
            True,
            routed,
            request,
            ScoredAnswer(0.0, tokens, usd),
            _seen(item, facts, extra),
            _kind(facts),
            False,
            began,
        )
    answered = item.get("run_type") == "llm" and not item.get("error")
    model = _model(facts, extra) if answered else ""
    seen = _seen(item, facts, extra) if model else None
    usd, tokens = usd_of(item.get("total_cost")), _tokens(item)
    unnamed = answered and not model
    return LangSmithRun(parent, False, model, "", ScoredAnswer(0.0, tokens, usd), seen, _kind(facts), unnamed, began)


def _id(item: Mapping[str, Any]) -> str:
    return name_of(item.get("id")) or name_of(item.get("run_id"))


def _inner(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The runs that a run holds, with its id as their parent's where they have none."""
    held = item.get("child_runs")
    found = [run for run in held if isinstance(run, Mapping) and "run_type" in run] if isinstance(held, list) else []
    return [run if run.get("parent_run_id") else {**run, "parent_run_id": _id(item)} for run in found]


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


def _seen(item: Mapping[str, Any], facts: Mapping[str, Any], extra: Mapping[str, Any]) -> LoggedFeatures:
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
    seen = run.seen
    row = ScoredRequest(run.request_id or id, "", seen.sketch, seen.size, seen.worded, run.kind, text=seen.text)
    row.answers[run.model] = run.answer._replace(score=score)
    return row


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
