"""Model groups: by which name which deployments are asked for, and in which order they are tried."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from capability_router.migration.amount import tidy
from capability_router.migration.deployment import Deployment
from capability_router.migration.fallbacks import Chains, after
from capability_router.migration.variables import put

Step = str | dict[str, Any]
STRATEGIES = {
    "simple-shuffle": "share", "least-busy": "least_busy", "latency-based-routing": "fastest",
    "cost-based-routing": "cheapest", "usage-based-routing": "usage", "usage-based-routing-v2": "usage",
}  # fmt: skip
"""LiteLLM's routing strategy -> how a step of ours chooses; `usage`: a share by limits, whatever the weights."""
DEFAULT_TAG = "default"


class GroupRoute(NamedTuple):
    """A name to ask for, the groups behind it, and which of their deployments count."""

    name: str
    groups: tuple[str, ...]
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class FallbackLists:
    """The three lists of fallbacks. An error with a list of its own goes by that list alone."""

    general: Chains = field(default_factory=dict)
    context: Chains = field(default_factory=dict)
    content: Chains = field(default_factory=dict)
    max_depth: int = 5

    def chain(self, name: str) -> list[str]:
        """All groups that may be asked after this one, those of certain errors last."""
        found: dict[str, None] = {name: None}
        self._walk(name, name, found, 0)
        for lists in (self.context, self.content):
            found |= dict.fromkeys(after(name, lists))
        return list(found)[1:]

    def _walk(self, group: str, original: str, found: dict[str, None], deep: int) -> None:
        """Group after group, each with what is asked after it; no group twice."""
        for each in after(group, self.general, original) if deep < self.max_depth else ():
            if each not in found:
                found[each], deep = None, deep + 1
                self._walk(each, original, found, deep)


@dataclass(frozen=True, slots=True)
class Groups:
    """All deployments by their groups. `tagged`: whether tags of requests filter them."""

    deployments: Mapping[str, Sequence[Deployment]]
    how: Callable[[str], str]
    tagged: bool = False

    def ways(self, names: Mapping[str, Sequence[str]]) -> list[GroupRoute]:
        """`names`: name -> its own groups and those behind them. With tags, one more way for each tag."""
        found = []
        for name, groups in names.items():
            here = tuple(group for group in groups if group in self.deployments)
            found.append(GroupRoute(name, here))
            own = [each for group in here for each in self.deployments[group]] if self.tagged else []
            tags = dict.fromkeys(tag for each in own for tag in each.tags if tag != DEFAULT_TAG)
            found += [GroupRoute(f"{name}+{tag}", here, tag) for tag in tags if self._has(here[:1], tag)]
        return [way for way in found if self.members(way)]

    def _has(self, groups: Sequence[str], tag: str) -> bool:
        return any(tag in each.tags for group in groups for each in self.deployments[group])

    def members(self, way: GroupRoute) -> list[Deployment]:
        """Every deployment that may serve it, each once."""
        found = {each.id: each for group in way.groups for each in self._chosen(group, way.tag)}
        return list(found.values())

    def _chosen(self, group: str, tag: str | None) -> Sequence[Deployment]:
        """A request with a tag gets those that have it, else the default ones; one without, the default ones or all."""
        own = self.deployments[group]
        if not self.tagged:
            return own
        default = [each for each in own if DEFAULT_TAG in each.tags]
        if tag is None:
            return default or own
        return [each for each in own if tag in each.tags] or default

    def steps(self, way: GroupRoute) -> list[Step]:
        """How they are tried: group by group, within one by `order`, within that by the strategy."""
        found: list[Step] = []
        seen: set[str] = set()
        for group in way.groups:
            members = [each for each in self._chosen(group, way.tag) if each.id not in seen]
            seen.update(each.id for each in members)
            found += [_step(level, self.how(group)) for level in _levels(members)]
        return found


def _levels(members: Iterable[Deployment]) -> list[list[Deployment]]:
    """By `order`."""
    levels: dict[float, list[Deployment]] = {}
    for each in members:
        levels.setdefault(each.order or 0.0, []).append(each)
    return [levels[order] for order in sorted(levels)]


def ordered(members: Sequence[Deployment]) -> list[Deployment]:
    """Those that are ever asked: where some have an `order`, those without one never are."""
    found = [each for each in members if each.order is not None]
    return found or list(members)


def _step(level: Sequence[Deployment], how: str) -> Step:
    if len(level) == 1:
        return level[0].id
    if how not in ("share", "usage"):
        return {how: [each.id for each in level]}
    by_usage = how == "usage"  # a model without a limit counts as used as much as the others
    words, some = (("rpm", "tpm"), all) if by_usage else (("weight", "rpm", "tpm"), any)
    told = next((row for row in ([each.weights[word] for each in level] for word in words) if some(row)), None)
    if told is None or len(set(told)) == 1:
        return {"share": [each.id for each in level]}
    return {"share": {each.id: tidy(weight) for each, weight in zip(level, told, strict=True)}}


def wild(name: str) -> bool:
    """Whether it stands for many names."""
    return "*" in name


def star(pattern: str, name: str) -> str | None:
    """What stands for the star of a pattern in a name; None = it does not fit."""
    parts = pattern.split("*")
    found = re.fullmatch(".*".join(f"{re.escape(part)}" for part in parts).replace(".*", "(.*)", 1), name)
    return found[1] if found is not None and found.groups() else None


def tags(ways: Iterable[GroupRoute], groups: Groups) -> dict[str, list[str]]:
    """Id -> the names by which a request may require it."""
    found: dict[str, list[str]] = {}
    for way in ways:
        for each in groups.members(way):
            found.setdefault(each.id, []).append(put(way.name))
    return found
