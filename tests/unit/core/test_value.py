from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, InitVar, dataclass, field, fields, replace

import pytest

from capability_router.frozen_value import altered, fast_frozen
from capability_router.plan import Plan
from capability_router.request import AttemptRecord, Outcome, Reply, Request, Usage

QUICK = (Usage, Reply, Request, AttemptRecord, Outcome, Plan)


@dataclass(frozen=True, slots=True)
class Plain:
    name: str
    count: int = 3
    items: list[int] = field(default_factory=list)


@fast_frozen
@dataclass(frozen=True, slots=True)
class Quick:
    name: str
    count: int = 3
    items: list[int] = field(default_factory=list)


def test_made_as_the_plain_class_is() -> None:
    assert inspect.signature(Quick).parameters.keys() == inspect.signature(Plain).parameters.keys()
    for args, keywords in ((("a",), {}), (("a", 4), {}), (("a",), {"items": [1]}), ((), {"name": "a", "count": 0})):
        plain, quick = Plain(*args, **keywords), Quick(*args, **keywords)
        assert [getattr(quick, f.name) for f in fields(quick)] == [getattr(plain, f.name) for f in fields(plain)]
    assert repr(Quick("a")) == repr(Plain("a")).replace("Plain", "Quick")


def test_each_has_its_own_default() -> None:
    assert Quick("a").items is not Quick("a").items


@pytest.mark.parametrize("args", [(), ("a", 1, [], "too many")])
def test_wrong_arguments_are_refused(args: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match="argument"):
        Quick(*args)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("kind", QUICK)
def test_what_the_core_gives_is_frozen(kind: type) -> None:
    made = kind(**{f.name: f.name for f in fields(kind)})
    for each in fields(kind):
        assert getattr(made, each.name) == each.name
        with pytest.raises(FrozenInstanceError):
            setattr(made, each.name, "changed")
    assert replace(made) == made == copy.copy(made) == pickle.loads(pickle.dumps(made))  # noqa: S301 - made here


class _Checks:
    __slots__ = ()

    def __post_init__(self) -> None:
        raise AssertionError("never run by quickly_made")


@dataclass(frozen=True, slots=True)
class WithInherited(_Checks):
    name: str


@dataclass(frozen=True, slots=True)
class WithPost:
    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.strip())


@pytest.mark.parametrize("kind", [WithPost, WithInherited])
def test_a_post_init_that_would_never_run_is_refused(kind: type) -> None:
    with pytest.raises(TypeError, match=f"{kind.__name__} has a __post_init__"):
        fast_frozen(kind)


@dataclass(frozen=True, slots=True)
class WithOwnField:
    name: str
    size: int = field(init=False, default=0)


@dataclass(frozen=True, slots=True)
class WithInitVar:
    name: str
    seed: InitVar[int]


@dataclass(frozen=True, slots=True)
class WithKeywordOnly:
    name: str = ""
    size: int = field(kw_only=True)


@pytest.mark.parametrize("kind", [WithOwnField, WithInitVar, WithKeywordOnly])
def test_fields_that_init_does_not_take_in_order_are_refused(kind: type) -> None:
    with pytest.raises(TypeError, match=f"{kind.__name__}: quickly_made is for classes whose __init__ takes each"):
        fast_frozen(kind)


def test_nothing_is_derived_from_it() -> None:
    with pytest.raises(TypeError, match="nothing may be derived from what is quickly made"):
        type("Derived", (Quick,), {"__slots__": ()})


def test_altered_as_by_dataclasses() -> None:
    quick = Quick("a", 4, [1])
    assert altered(quick, count=5) == replace(quick, count=5)
    assert altered(quick, name="b", items=[]) == replace(quick, name="b", items=[])
    assert quick == Quick("a", 4, [1])
    with pytest.raises(FrozenInstanceError):
        altered(quick, count=5).count = 6  # type: ignore[misc]  # as it must not be
    with pytest.raises(TypeError, match="unknown"):
        altered(quick, unknown=1)
