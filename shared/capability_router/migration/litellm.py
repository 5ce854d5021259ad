"""Converts a LiteLLM configuration: the settings, the names to ask for, and what could not be kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from capability_router.catalog.card import MOST_OF_LIMITS
from capability_router.errors import ConfigError
from capability_router.migration.amount import number, whole
from capability_router.migration.budget_converter import BudgetConverter
from capability_router.migration.deployment import CARRIED, Deployment, DeploymentReader, ids
from capability_router.migration.endpoint_resolver import EndpointResolver
from capability_router.migration.fallbacks import ANY, chains
from capability_router.migration.group import (
    STRATEGIES,
    FallbackLists,
    GroupRoute,
    Groups,
    Step,
    ordered,
    star,
    tags,
    wild,
)
from capability_router.migration.litellm_config import LiteLLMConfig, blocks
from capability_router.migration.note import ImportNote, ImportNotes
from capability_router.migration.reliability import FallbackChain, Reliability
from capability_router.migration.shared_store import SharedStore
from capability_router.migration.source import Place, read
from capability_router.migration.timeouts import timed
from capability_router.migration.variables import Variables, put, references
from capability_router.nearest import nearest

_LAST = "; models that are only listed here are asked last after other failures too"
_ON_LISTS = {
    "context_window_fallbacks": f"a prompt that is too long for a model goes to the next that holds it{_LAST}",
    "content_policy_fallbacks": f"on_content_filter is one switch for all groups{_LAST}",
}
_LISTS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """`settings`: the words of router.yaml. `names`: a name that LiteLLM was asked for -> the models behind it.

    `origins`: a model's id -> what LiteLLM called it, without its provider. `group`: what alone was imported, if so.
    """

    source: Path
    settings: Mapping[str, Any]
    names: Mapping[str, Sequence[str]]
    origins: Mapping[str, str]
    notes: Sequence[ImportNote]
    group: str | None = None


def imported(path: Path, *, models: Sequence[str] = (), group: str | None = None) -> ImportResult:
    """Reads a proxy's config.yaml, or a Router's keywords, from YAML or JSON.

    `models`: names that wildcards are to stand for. `group`: import only what is behind this name, for a router of that
    group alone. Raises ConfigError for an invalid file, or if no model could be kept.
    """
    source = read(path)
    notes, variables = ImportNotes(source), Variables()
    found = blocks(source, notes)
    for name in (*references(dict(source.values)), *found.implied()):
        variables.reserve(name)
    work = _ImportJob(found, notes, variables)
    work.collect(models)
    if not work.deployments:
        raise ConfigError(_nothing(path, notes))
    ways = work.ways()
    if group is not None:
        ways = [_asked_for(group, ways)]
    settings = work.settings(ways, alone=group is not None)
    origins = {each.id: each.named.model for each in work.deployments}
    return ImportResult(path, settings, work.names(ways), origins, tuple(notes), group)


def _asked_for(group: str, ways: Sequence[GroupRoute]) -> GroupRoute:
    way = next((way for way in ways if way.name == group), None)
    if way is None:
        raise ConfigError(f"no group {group!r} was carried over{nearest(group, [way.name for way in ways])}")
    return way


def _nothing(path: Path, notes: Iterable[ImportNote]) -> str:
    told = [f"\n  line {note.line}: {note.what}: {note.told()}" for note in notes if note.what.startswith("model_list")]
    return f"{path}: none of its models can be carried over{''.join(told[:10]) or '; its model_list is empty'}"


class _ImportJob:
    """A running import."""

    def __init__(self, found: LiteLLMConfig, notes: ImportNotes, variables: Variables) -> None:
        self._blocks, self._notes, self._variables = found, notes, variables
        self._reader = DeploymentReader(EndpointResolver(notes, variables), notes, found.credentials)
        self._lists = self._read_lists()
        self._aliases = self._read_aliases()
        self.deployments: list[Deployment] = []

    def _read_lists(self) -> FallbackLists:
        found = {}
        for word in _LISTS:
            said = self._blocks.setting(word)
            found[word] = chains(said[0], said[1], self._notes) if said else {}
        default = self._blocks.setting("default_fallbacks")
        if default is not None:
            found["fallbacks"].setdefault(ANY, chains(default[0], default[1], self._notes).get(ANY, []))
        max_depth = self._blocks.setting("max_fallbacks")
        most = number(max_depth[0]) if max_depth else None
        return FallbackLists(found[_LISTS[0]], found[_LISTS[1]], found[_LISTS[2]], 5 if most is None else int(most))

    def _read_aliases(self) -> dict[str, str]:
        said = self._blocks.setting("model_group_alias")
        aliases: dict[str, str] = {}
        for alias, item in said[0].items() if said and isinstance(said[0], Mapping) else ():
            target = item.get("model") if isinstance(item, Mapping) else item
            if isinstance(target, str):
                aliases[str(alias)] = target
            elif said:
                self._notes.left_out((*said[1], str(alias)), "it names no group", "write the name of a group")
        return aliases

    def collect(self, models: Sequence[str]) -> None:
        """Every deployment, including those of wildcards for requested names."""
        read, patterns = [], []
        for place, item in self._blocks.models:
            name = item.get("model_name") if isinstance(item, Mapping) else None
            if isinstance(name, str) and wild(name):
                patterns.append((name, place, item))
            elif (one := self._read(item, place)) is not None:
                read.append(one)
        groups = {each.group for each in read}
        asked = dict.fromkeys((*models, *self._referred()))
        for name in asked:
            if name not in groups and name not in self._aliases and name != ANY:
                read += self._matched(name, patterns, name in models)
        for _, place, _ in patterns:
            named = [each.group for each in read if each.place == place]
            here = f"; this one stands for {', '.join(named)}" if named else ""
            why = f"each model stands in the file here, no wildcards{here}"
            todo = f"name {'others' if named else 'the models'} that are used: --model NAME, once for each"
            self._notes.left_out((*place, "model_name"), why, todo)
        self.deployments = [replace(each, id=id) for each, id in zip(read, ids(read), strict=True)]

    def _read(self, item: Any, place: Place, name: str = "") -> Deployment | None:
        said = self._blocks.setting("default_litellm_params")
        defaults = said[0] if said and isinstance(said[0], Mapping) else {}
        for key in defaults if said else ():
            if key not in CARRIED and said:
                self._notes.left_out((*said[1], str(key)), "what every call sends is set in code here",
                                     f"give it to the constructor: ChatRouter({key}=...)")  # fmt: skip
        found = self._reader.read(item, place, {key: defaults[key] for key in defaults if key in CARRIED}, name)
        most = self._blocks.setting("default_max_parallel_requests")
        count = whole(most[0]) if most else None
        if found is None or count is None or count > MOST_OF_LIMITS:
            return found
        limits = {"concurrency": count, **found.fields.get("limits", {})}
        return replace(found, fields={**found.fields, "limits": limits})

    def _referred(self) -> list[str]:
        lists = (self._lists.general, self._lists.context, self._lists.content)
        return [*(name for each in lists for names in each.values() for name in names), *self._aliases.values()]

    def _matched(self, name: str, patterns: Sequence[tuple[str, Place, Any]], wanted: bool) -> list[Deployment]:
        """By the most specific pattern, as LiteLLM does."""
        fits = [(len(pattern), place, item, star(pattern, name)) for pattern, place, item in patterns]
        fits = [fit for fit in fits if fit[3] is not None]
        if not fits and wanted:
            known = [pattern for pattern, _, _ in patterns]
            raise ConfigError(f"--model {name}: no wildcard of the file fits it{nearest(name, known)}")
        best = max((fit[0] for fit in fits), default=0)
        read = (
            self._read({**item, "model_name": name}, place, found or "")
            for size, place, item, found in fits if size == best
        )  # fmt: skip
        return [each for each in read if each is not None]

    def _how(self) -> str:
        said = self._blocks.setting("routing_strategy")
        strategy = str(said[0]) if said else "simple-shuffle"
        how = STRATEGIES.get(strategy)
        if said and how is None:
            why = "no such strategy is known here; the deployments of a group share its requests"
            self._notes.left_out(said[1], why, "see `share`, `fastest`, `cheapest`, `least_busy` in docs/policies.md")
        elif said and strategy.startswith("usage-based"):
            why = "requests are shared by rpm, else tpm, where a whole group has it, else evenly; limits keep to both"
            self._notes.differs(said[1], why)
        elif said and how == "least_busy":
            self._notes.differs(said[1], "calls under way are counted per process")
        elif said and how == "fastest":
            self._notes.differs(said[1], "the predicted time to the end of the answer decides, queue included")
        return how or "share"

    def ways(self) -> list[GroupRoute]:
        """Every name to ask for."""
        said = self._blocks.setting("enable_tag_filtering")
        how = self._how()
        by_group = self._by_group()
        self._groups = Groups(by_group, lambda _: how, bool(said and said[0] is True))
        names: dict[str, tuple[str, ...]] = {name: (name, *self._lists.chain(name)) for name in by_group}
        for alias, target in self._aliases.items():
            names[alias] = (target, *(name for name in self._lists.chain(alias) if name != target))
        names |= self._routing_groups()
        self._told_fallbacks(by_group)
        self._told_tags(said)
        meant = {name: tuple(dict.fromkeys(map(self._target, groups))) for name, groups in names.items()}
        return self._groups.ways(meant)

    def _target(self, name: str) -> str:
        """The group behind an alias; an unknown name is LiteLLM's first fallback for any group."""
        known = any(each.group == name for each in self.deployments)
        default = self._lists.general.get(ANY, ())
        return name if known else self._aliases.get(name) or next(iter(default), name)

    def _by_group(self) -> dict[str, list[Deployment]]:
        found: dict[str, list[Deployment]] = {}
        for each in self.deployments:
            found.setdefault(each.group, []).append(each)
        for group, members in found.items():
            kept = ordered(members)
            for each in members:
                if each not in kept:
                    why = "others of its group have an order, so it is never asked, by LiteLLM neither"
                    self._notes.left_out(each.place, why, "give it an order, and import again")
            found[group] = kept
        return found

    def _routing_groups(self) -> dict[str, tuple[str, ...]]:
        """Names for several groups at once, one after the other."""
        said, found = self._blocks.setting("routing_groups"), dict[str, tuple[str, ...]]()
        for number_, item in enumerate(said[0] if said and isinstance(said[0], list) else ()):
            name, members = (item.get("group_name"), item.get("models")) if isinstance(item, Mapping) else (None, None)
            place = (*said[1], number_) if said else ()
            if not isinstance(name, str) or not isinstance(members, list):
                self._notes.left_out(place, "it is no routing group", "write group_name, models")
                continue
            ranks = item.get("model_priorities")
            known = [str(each) for each in members]
            if isinstance(ranks, Mapping):
                known.sort(key=lambda each: number(ranks.get(each)) or 0.0)
            found[name] = (*known, *(each for each in self._lists.chain(name) if each not in known))
            self._notes.differs(place, "its groups are asked one after another, in this order")
        return found

    def _told_fallbacks(self, groups: Mapping[str, Any]) -> None:
        for word, lists in zip(_LISTS, (self._lists.general, self._lists.context, self._lists.content), strict=True):
            said = self._blocks.setting(word) or self._blocks.setting("default_fallbacks")
            place = said[1] if said else ()
            for name in dict.fromkeys(name for names in lists.values() for name in names):
                if name not in groups and name not in self._aliases:
                    self._notes.left_out(place, f"no deployment of {name!r} was carried over", "see model_list")
        for word, why in _ON_LISTS.items():
            said = self._blocks.setting(word)
            if said and said[0]:
                self._notes.differs(said[1], why)

    def _told_tags(self, said: tuple[Any, Place] | None) -> None:
        tagged = next((each for each in self.deployments if each.tags), None)
        if tagged is not None and self._groups.tagged:
            told = "a request requires group and tag as one name, here GROUP+TAG; of several tags it names one"
            self._notes.differs(said[1] if said else (), told)
        elif tagged is not None:
            for each in self.deployments:
                if each.tags:
                    self._notes.left_out(
                        (*each.place, "litellm_params", "tags"), "they choose nothing without enable_tag_filtering",
                        "routing(tags=[...]) says what a request's cost is for",
                    )  # fmt: skip

    def names(self, ways: Sequence[GroupRoute]) -> dict[str, list[str]]:
        """A name to ask for -> the ids of its models, in the order of the file."""
        return {way.name: [each.id for each in self._groups.members(way)] for way in ways}

    def settings(self, ways: Sequence[GroupRoute], *, alone: bool) -> dict[str, Any]:
        """The words of router.yaml, in the order in which they are read."""
        kept = {each.id for way in ways for each in self._groups.members(way)}
        members = [each for each in self.deployments if each.id in kept]
        first = {each.id: number_ for number_, each in enumerate(self._groups.members(ways[0]))} if alone else {}
        members.sort(key=lambda each: first.get(each.id, 0))
        reliability = Reliability(self._notes, self._blocks.setting)
        fields, clocks = timed(members, reliability.timeouts(), self._notes)
        known = {} if alone else tags(ways, self._groups)
        rules = self._rules(ways, alone)
        settings: dict[str, Any] = {
            "policy": {"name": "rules", "rules": rules} if rules else "single",
            "models": [
                {"id": each.id, **fields[each.id], **({"tags": known[each.id]} if known else {})} for each in members
            ],
            "retry": reliability.retry(self._longest(ways)),
            "timeouts": clocks,
            "health": reliability.health(),
            "on_content_filter": self._filtered(),
            "budgets": self._caps(members),
            "store": self._store(),
        }
        return {name: value for name, value in settings.items() if value}

    def _rules(self, ways: Sequence[GroupRoute], alone: bool) -> list[dict[str, Any]]:
        """For each name with several models. The more specific names come first: each is a required tag."""
        rules: list[dict[str, Any]] = []
        for way in ways:
            steps: list[Step] = self._groups.steps(way)
            if len(self._groups.members(way)) > 1:
                when = {} if alone else {"when": {"require_tags": put(way.name)}}
                rules.append({**when, "then": steps})
        return rules

    def _longest(self, ways: Sequence[GroupRoute]) -> FallbackChain:
        sizes = [len(members) for members in self._groups.deployments.values()]
        return FallbackChain(
            max(len(way.groups) for way in ways), max(len(self._groups.members(way)) for way in ways), 1 in sizes
        )

    def _filtered(self) -> str:
        """LiteLLM sends a refused prompt to a separate list, or, without any, to the general one."""
        return "fallback" if self._lists.content or self._lists.general else ""

    def _caps(self, members: Sequence[Deployment]) -> list[dict[str, Any]]:
        caps, found = BudgetConverter(self._notes), list[dict[str, Any]]()
        library = self._blocks.library
        found += caps.whole(library, ("litellm_settings",))
        said = self._blocks.setting("provider_budget_config")
        found += caps.named("provider", said[0], said[1]) if said else ()
        found += caps.named("tag", library.get("tag_budget_config"), ("litellm_settings", "tag_budget_config"))
        found += caps.deployments(members)
        return found

    def _store(self) -> dict[str, Any] | None:
        block, place = self._blocks.redis()
        return SharedStore(self._notes, self._variables).store(block, place, self._blocks.library)
