"""The Router: it connects the packages of the core and holds what all requests share. It has no logic of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from capability_router.assembly import wiring
from capability_router.assembly.accounting import Accounting
from capability_router.assembly.dispatch import Dispatch
from capability_router.assembly.second_policies import RoutingDecision, SecondPolicies
from capability_router.assembly.shadow_calls import Again, ShadowCalls, will_be_called
from capability_router.catalog.aliases import canonical
from capability_router.catalog.entry import Describe
from capability_router.catalog.registry import Registry
from capability_router.clock import Clock, SystemClock
from capability_router.errors import ConfigError, NoEligibleModel
from capability_router.execution.accounts import Accounts
from capability_router.execution.endpoint import Endpoint
from capability_router.execution.prober import PROBE_S, PROBE_TAG, ProbeGate, Prober
from capability_router.execution.run import Run
from capability_router.execution.target_selector import AdmissionControl
from capability_router.frozen_value import altered
from capability_router.health.board import QUIET, HealthBoard, HealthEvent
from capability_router.health.health_table import HealthTable
from capability_router.learning.guard import BaselineGuard
from capability_router.learning.outcomes import Forgotten, score_of
from capability_router.log_lines import listener_failed
from capability_router.money.budget.cap_index import scopes_of
from capability_router.money.budget.denial import BudgetEvent
from capability_router.nearest import nearest
from capability_router.plan import Plan
from capability_router.policies.affordable import within_budgets
from capability_router.policies.base import LearnedModel
from capability_router.policies.exploration.budget import exploration_money
from capability_router.policies.exploration.explorer import PICKED, ExplorationChoice, explorer_of
from capability_router.policies.second_policy.shadow import ShadowDecision
from capability_router.request import Outcome, Request
from capability_router.routing import EVALUATION_TAG
from capability_router.stores.base import Store
from capability_router.telemetry.recorder import Traces
from capability_router.telemetry.sinks import Sink, Sinks, configured_sinks
from capability_router.token_counter import Count, TokenCounter

if TYPE_CHECKING:
    from capability_router.config import Settings
    from capability_router.evaluation.evaluation import Ended

C = TypeVar("C")
log = logging.getLogger("capability_router")
_NOTABLE_S = 0.001  # of a deadline


class Router:
    """Chooses a model for each request, calls it, books the cost and records the decision. Serves both adapters.

    `models`: see Registry.build. `keywords`: the settings of router.yaml (policy, health, retry, timeouts, budgets,
    on_content_filter, unknown, telemetry, ...), or `settings`, which holds them checked. `api_key`: the key for
    'provider:model' entries; only a digest of it is kept. Raises ConfigError.
    """

    def __init__(
        self, models: Iterable[Any] | Registry, *, describe: Describe | None = None, clock: Clock | None = None,
        settings: Settings | None = None, api_key: str | None = None, **keywords: Any,
    ) -> None:  # fmt: skip
        if not isinstance(models, Registry):
            models = Registry.build(models, describe=describe, api_key=api_key)
        registry = models
        s = (settings or _from_keywords(keywords)).reviewed(registry)
        self.settings, self.registry = s, registry
        for told in s.warnings:
            log.warning("%s", told)
        self.clock: Clock = clock or SystemClock()
        self.name: str = s.name
        self._accounting = Accounting(s, registry, self.clock)
        self.ledger, self.budgets = self._accounting.ledger, self._accounting.budgets
        self._accounts = Accounts(registry, self.ledger, self.budgets, self.clock.unix)
        self.board = HealthBoard(
            s.health, seed=s.policy.seed, learns_limits=s.learns_limits, on_event=self._tell,
            worked=self.clock.worked,
        )  # fmt: skip
        self._watchers: list[Callable[[HealthEvent], None]] = []
        self.sinks = Sinks(configured_sinks(s.telemetry))
        self._meanings, self._screen = wiring.meanings_of(s, self.clock), wiring.screen_of(s, registry)
        self._recorder = wiring.recorder_of(self.sinks, registry, s, self.clock, self._meanings)
        for card, address in ((entry.card, entry.address) for entry in registry):
            self.board.register(card.id, address, limits=card.limits, latency=card.latency)
        if s.probe:
            able = [card.id for card in registry.cards if card.endpoint is not None]
            self.board.probes(able)
            self._watchers.append(Prober(self, able).heard)
        learned = cache(partial(wiring.learner_of, s, self.store, self._meanings))  # one learner per state
        known = learned(s.policy.state if s.policy.name == "adaptive" else None)
        self._dispatch = Dispatch(s, registry, self.board)
        self.queue, pace = self._dispatch.queue, self._accounting.pace
        self._watchers.append(self.queue.heard)
        self.planner = wiring.planner_of(registry, s, self.board, known, pace, self._dispatch.wait_s)
        self._trying(known)
        self._lessons = wiring.lessons_of(self.planner, registry)
        self._trials = SecondPolicies(s, registry.named, learned, self._accounting.pace)
        self._evaluation = wiring.evaluation_of(s, self.clock)
        self._shadow_calls = ShadowCalls(self._accounts, self._dispatch, self.clock, self._recorder, self._evaluation)
        self._listeners: list[Callable[[Request, Outcome], None]] = []
        self._recorder.traces = _traces(self)
        self._reporter = wiring.reporter_of(s, self.store, registry, self.health, self.clock)

    @classmethod
    def from_config(
        cls, source: str | Path | Mapping[str, Any], *, describe: Describe | None = None, clock: Clock | None = None,
        api_key: str | None = None, **overrides: Any,
    ) -> Router:  # fmt: skip
        """From router.yaml (a path), or from a dict of the same form; keywords override it, block by block.

        Raises ConfigError.
        """
        from capability_router.config import load  # here, because it loads pydantic and PyYAML

        settings = load(source, **overrides)
        return cls(settings.models, describe=describe, clock=clock, settings=settings, api_key=api_key)

    def explain(self, request: Request | str | Sequence[Mapping[str, Any]], **options: Any) -> Plan:
        """The plan for a request, as it would be made now. Nothing is sent, booked, learned or recorded.

        `request` may also be a prompt or Chat Completions messages. `options` are then `tools`, `response_format`,
        routing terms and further keys of the call. A plan without candidates says in `refusals` why there are none.
        Raises ConfigError for a misspelt term.
        """
        if not isinstance(request, Request):
            from capability_router.endpoints.chat import request_from_chat  # here: adapters never need it

            request = request_from_chat(request, **options)
        if self._screen is not None:
            request = self._screen.before(request)
        plan = self._decide(request).plan
        if not isinstance(plan.notes, tuple):  # left to whoever reads them, as this caller does
            plan = altered(plan, notes=tuple(plan.notes))
        return within_budgets(plan, self._accounts.open(request, plan).foreseen) if self.budgets else plan

    def start(
        self,
        request: Request,
        endpoint: Endpoint[C],
        *,
        gate: AdmissionControl | None = None,
        again: Again | None = None,
    ) -> Run[C]:
        """Plan a request. Iterate the Run that is returned, to carry it out.

        Raises NoEligibleModel or StoreError before anything is sent. `gate` replaces the health board in admitting the
        calls (probes use it). `again` makes the endpoint of a shadow's call; without it, shadows call nothing.
        """
        if self._evaluation is not None:
            request = self._evaluation.marked(request)
        if gate is None and (self._screen is not None or self._meanings is not None):  # a probe's text is the router's
            request = self._prepared(request)
        alongside = gate is None and EVALUATION_TAG not in request.routing.tags
        made = self._decide(request, alongside=alongside)
        plan, aside = made.plan, made.aside
        if not plan.candidates:
            self._recorder.refused(request, plan)
            raise NoEligibleModel(plan.refusals)
        self._open()
        if self.planner.explorer is not None and not self.planner.explorer.pays(made.explored, self.clock.now()):
            made = self._decide(request, alongside=alongside, exploring=False)
            plan, aside = made.plan, made.aside
        self._trials.carried_out(made.policy, made.scene, plan)
        self.planner.balance.count_request()
        machine = self._dispatch.machine(request, plan, self._accounts.open(request, plan), gate)
        ended: Ended = (
            self._ended if aside is None and not made.explored.at
            else partial(self._ended, aside=aside, again=again, explored=made.explored)
        )  # fmt: skip
        if self._evaluation is not None and alongside:
            paired = again is not None and aside is not None and will_be_called(request, aside)
            if self._evaluation.takes(request, paired=paired):
                teach = partial(self._evaluated, request.id, paired=paired)
                endpoint, ended = self._evaluation.watching(request, endpoint, ended, teach)
        run = Run(request, plan, machine, endpoint, self.clock, ended)
        if self._recorder.traces is not None:
            run.caller = self._recorder.traces.caller(request)
        return run

    @property
    def prepares(self) -> bool:
        """Whether `prepare` has work to do: an embedder or a screen."""
        return self._meanings is not None or self._screen is not None

    @property
    def screens(self) -> bool:
        """Whether a screen reads requests. Their `beside` must be filled then."""
        return self._screen is not None

    def _prepared(self, request: Request) -> Request:
        began = self.clock.now()
        if self._screen is not None:
            request = self._screen.before(request)
        if self._meanings is not None and _may_be_embedded(request):
            self._meanings.before(request)
        return self._timed(request, began)

    async def prepare(self, request: Request) -> Request:
        """Screen and embed a request without blocking the event loop; returns the request to give to `start`."""
        began = self.clock.now()
        if self._screen is not None:
            request = await self._screen.abefore(request)
        if self._meanings is not None and _may_be_embedded(request):
            await self._meanings.abefore(request)
        return self._timed(request, began)

    def _timed(self, request: Request, began: float) -> Request:
        """With the time that this took since, if it is worth a copy: it counts against the deadline."""
        took_s = self.clock.now() - began
        return altered(request, prepared_s=request.prepared_s + took_s) if took_s > _NOTABLE_S else request

    def feedback(self, request_id: str, score: float | Decimal) -> bool:
        """Tell the policy how good an answer was, from 0 to 1, or True or False. True = the policy has learned from it.

        False: neither this process nor a store remembers the request. The score is then only in the decision log, for
        `capability-router train`. Raises ConfigError for a bad score, or if the request is unknown and there is no log.
        """
        if not isinstance(request_id, str) or not request_id:
            raise ConfigError(f"feedback needs a request's id, a text, got {request_id!r}")
        worth = score_of(score)
        try:
            return self._taught(request_id, worth, "user")
        except Forgotten:
            model = self._lessons.scored_elsewhere(request_id, worth)
            if model is None and not self.sinks:
                raise
        self._recorder.scored(request_id, model, worth, "user")
        return model is not None

    def evaluations(self) -> dict[str, Any]:
        """How many answers the evaluator has scored or not, JSON-safe; empty without an evaluator.

        Counts: `waiting`, `under_way`, `scored`, `no_opinion`, `failed`, `over_budget`, `dropped` (the queue was full),
        `too_late` (a user had scored it, or the request is forgotten), `left` (the event loop or the router was
        closed first); `failures` by kind.
        """
        return {} if self._evaluation is None else self._evaluation.to_dict()

    def on_outcome(self, listener: Callable[[Request, Outcome], None]) -> None:
        """Call `listener` after each request; what it raises is logged."""
        self._listeners.append(listener)

    def add_sink(self, sink: Sink | Callable[[dict[str, Any]], object]) -> None:
        """Send decision records to this sink too. A function is called with each record, in a background thread."""
        self.sinks.add(sink)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until every sink has the records of all calls so far; False = one had not within `timeout_s`."""
        return self.sinks.flush(timeout_s)

    def health(self) -> HealthTable:
        """One JSON-safe row per model: breaker, gates, calls in flight, latency, success, learned window.

        `success_share` is of all calls, `recent_share` of the last `recent_calls` (the breaker's window); None = no
        call has ended. `window`: the window in tokens that the model stated in an error; `too_long`: the input tokens
        it rejected as too many; None = it did neither. `left_usd`: the least that any cap on all calls, the provider,
        the key or the model leaves, as far as this process knows without asking the store; None = there is no cap. The
        list shows as a table in a notebook, and by `render()`.
        """
        now = self.clock.now()
        return HealthTable(
            {**row, **self.planner.windows.shown(row["model"], now), "left_usd": self._left(row["model"])}
            for row in self.board.snapshot(now)
        )

    def _left(self, model: str) -> float | None:
        entry = self.registry.entry(model)
        scopes = scopes_of(model, canonical(entry.card.provider), entry.address.credential)
        pico = self.budgets.local_left(scopes) if self.budgets else None
        return None if pico is None else pico / 1e12

    def on_health(self, listener: Callable[[HealthEvent], None]) -> None:
        """Call `listener` at each change of a model's health; what it raises is logged."""
        self._watchers.append(listener)

    def on_budget(self, listener: Callable[[BudgetEvent], None]) -> None:
        """Call `listener` when 50, 80 or 100 % of a cap are spent or it begins to refuse, once each per window.

        It is also called when the store goes away or comes back. What it raises is logged.
        """
        self.budgets.on_event(listener)

    def isolate(self, model: str) -> None:
        """Send no calls to a model (by id or name), nor to those that share its breaker, until `reset`.

        Raises ConfigError for a name that no model has.
        """
        for id in self._meant(model):
            self.board.isolate(id, self.clock.now())

    def reset(self, model: str) -> None:
        """Close a model's breaker, open its gate, enable its credential and name. By id or name.

        Raises ConfigError for a name that no model has.
        """
        for id in self._meant(model):
            self.board.reset(id, self.clock.now())

    @property
    def store(self) -> Store:
        """The store of the budgets, and of the ledger if that has no store of its own."""
        return self._accounting.store

    def count_with(self, count: Count, name: str) -> None:
        """Count tokens with an adapter's function, if `tokens.counter` is "model". The first one given is kept."""
        if self.settings.counter == "model" and self.planner.count is None:
            self.planner = replace(self.planner, count=TokenCounter(count, name))

    def probe(self, id: str) -> None:
        """Probe a model that has an `endpoint` by asking for one token.

        Raises AllCandidatesFailed, RouterBusy, NoEligibleModel, BudgetExceeded or StoreError, and ConfigError for an
        unknown id.
        """
        from capability_router.endpoints.chat import request_from_chat
        from capability_router.endpoints.chat_completions_endpoint import (
            ChatCompletionsEndpoint,  # here, because it loads the HTTP client
        )
        from capability_router.endpoints.openai_compatible import client_for

        card = self.registry.entry(id).card
        request = request_from_chat("ping", max_tokens=1, pin=id, tags=[PROBE_TAG], deadline_s=PROBE_S)
        calls = ChatCompletionsEndpoint(request, {id: client_for(card.endpoint or {}, owner=id, model=card.model)})
        for _ in self.start(request, calls, gate=ProbeGate(self.board)):
            pass

    def close(self) -> None:
        """Finish background work, write everything down and give borrowed budget back.

        It waits for shadow calls and evaluations, writes the ledger and what was learned, and closes the sinks. The
        router can still be used afterwards.
        """
        with ExitStack() as parts:  # the last one first; each is closed whatever another one raises
            parts.callback(self.sinks.close)
            parts.callback(self._accounting.close)
            for part in (self._reporter, self.planner.learned, self._evaluation):
                if part is not None:
                    parts.callback(part.close)
            parts.callback(self._shadow_calls.close)

    async def aclose(self) -> None:
        """As `close`, after the shadow calls and evaluations of the running event loop have ended."""
        await self._shadow_calls.settled()
        if self._evaluation is not None:
            await self._evaluation.settled()
        await asyncio.to_thread(self.close)

    def _open(self) -> None:
        """Open the stores and start the threads, at the first request."""
        self._accounting.open()
        if self._reporter is not None:
            self._reporter.start()

    def _decide(self, request: Request, *, alongside: bool = False, exploring: bool = True) -> RoutingDecision:
        now = self.clock.now()
        stay = self._lessons.affinity.of(request, now)
        planner = self.planner if exploring else replace(self.planner, explorer=None)
        return self._trials.decide(planner, request, now, stay, alongside=alongside)

    def _ended(
        self, run: Run[Any], aside: ShadowDecision | None = None, again: Again | None = None,
        explored: ExplorationChoice = PICKED,
    ) -> None:  # fmt: skip
        outcome, request, plan = run.outcome, run.request, run.plan
        if outcome is None:
            return
        reply = run.reply
        self._trials.policy_of(self.planner, plan).settled(plan.candidates[0], outcome)
        if self.planner.explorer is not None:
            self.planner.explorer.ended(explored, outcome.cost_pico)
        signs = self._lessons.ended(request, plan, outcome, reply, self.clock.now())
        self._recorder.decided(request, plan, outcome, reply, aside, run.caller)
        for sign in signs:
            self._recorder.signed(*sign)
        for listener in self._listeners:
            try:
                listener(request, outcome)
            except Exception as error:  # noqa: BLE001 - a listener's error must not break the call
                listener_failed(log, listener, error)
        if aside is not None and again is not None:
            self._shadow_calls.after(run, aside, again)

    def _evaluated(self, request_id: str, score: float, *, paired: bool = False) -> bool:
        """Learn the evaluator's score; False = a user has scored the answer, or it is no longer remembered.

        If the answer is `paired` with a shadow's, the log has the score all the same: pairs that lack those that users
        scored first would not compare the models.
        """
        outcomes = self._lessons.outcomes
        if outcomes.source(request_id) != "user":
            with suppress(ConfigError):  # it is no longer remembered
                return self._taught(request_id, score, "evaluator")
        if paired:
            self._recorder.scored(request_id, outcomes.model_of(request_id), float(score), "evaluator")
        return False

    def _taught(self, request_id: str, score: float, source: str) -> bool:
        answered = self._lessons.scored(request_id, score, source)
        self._recorder.scored(request_id, answered.model, float(score), source)
        return True

    def _trying(self, known: LearnedModel | None) -> None:
        """Add exploration and the guard, if there is a learner. The guard also sees what other processes learn."""
        if known is not None:
            policy = self.settings.policy
            guard = BaselineGuard(targets=policy.quality_target is not None or policy.quality_share is not None)
            money = partial(exploration_money, known, self.store.budgets, self.name, self.clock)
            known.tell(guard)
            self.planner = replace(self.planner, guard=guard, explorer=explorer_of(policy, money))

    def _meant(self, model: str) -> Sequence[str]:
        found = self.registry.matches(model)
        if not found:
            raise ConfigError(f"{model!r} is not registered{nearest(model, self.registry.entries)}")
        return found

    def _tell(self, event: HealthEvent) -> None:
        level = logging.INFO if event.kind in QUIET else logging.WARNING
        what = event.kind.replace("_", " ")
        said = event.detail if event.detail.startswith(what) else f"{what}: {event.detail}".removesuffix(": ")
        log.log(level, "%s: %s", event.model, said)
        self._recorder.turned(event.kind, event.model, event.detail)
        for watcher in self._watchers:
            try:
                watcher(event)
            except Exception as error:  # noqa: BLE001 - a watcher's error must not break the call
                listener_failed(log, watcher, error)

    def __repr__(self) -> str:
        return f"<Router {self.name!r} policy={self.planner.policy.name} models={list(self.registry.entries)}>"

    def __copy__(self) -> Router:
        """The router itself, as for a deep copy."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Router:
        """The router itself: copies of an adapter share its breakers, budgets and ledger."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle holds models, settings and token counter; breakers, ledger and learning start anew."""
        return _remade, (self.registry, self.settings, self.planner.count if self.settings.counter == "model" else None)


def _remade(registry: Registry, settings: Settings, count: Count | None) -> Router:
    router = Router(registry, settings=settings)
    if count is not None:
        router.planner = replace(router.planner, count=count)
    return router


def _may_be_embedded(request: Request) -> bool:
    """Whether every model may read the text. If not, the embedder doesn't get it: no card states its data rules."""
    return request.screened is None or not (request.screened.asked or request.screened.barred)


def _from_keywords(keywords: Mapping[str, Any]) -> Settings:
    from capability_router.config import Settings  # here, because it loads pydantic

    return Settings.from_keywords(**keywords)


def _traces(router: Router) -> Traces | None:
    """Spans and metrics, if configured. Raises ConfigError without OpenTelemetry's API."""
    told = router.settings.telemetry
    if not told.otel.on:
        return None
    try:
        from capability_router.telemetry.otel.tracing import Tracing  # here, because it loads OpenTelemetry
    except ModuleNotFoundError as error:
        raise ConfigError("telemetry.otel needs opentelemetry-api: install capability-router[otel]") from error
    return Tracing(
        router, router.registry, router.sinks, attempts=told.otel.attempts, content=told.capture_content,
        folded=canonical,
    )  # fmt: skip
