"""A copy of a model under a class like its own, which closes nothing."""

from __future__ import annotations

from copy import copy
from typing import Any, ClassVar

import pytest

from capability_router.sdks.shared_clients import without_finalizer


class Closes:
    """Notes at its end that the client is closed."""

    def __init__(self) -> None:
        self.client: dict[str, bool] = {}

    def __del__(self) -> None:
        self.client["closed"] = True


class Listed(Closes):
    """Keeps a list of the classes derived from it."""

    listed: ClassVar[list[str]] = []

    def __init_subclass__(cls, **given: Any) -> None:
        cls.listed.append(cls.__name__)


class Final(Closes):
    """Is made by what derives nothing."""

    def __init_subclass__(cls, **given: Any) -> None:
        raise TypeError("final")


class Fussy(type):
    """Makes a class once."""

    def __new__(cls, name: str, bases: tuple[Any, ...], given: dict[str, Any]) -> Any:
        if bases:
            raise TypeError("final")
        return super().__new__(cls, name, bases, given)


class Once(metaclass=Fussy):
    """Has an end, and may not be derived from."""

    client: ClassVar[dict[str, bool]] = {}

    def __del__(self) -> None:
        self.client["closed"] = True


def test_a_copy_closes_nothing_and_shows_the_same_class() -> None:
    model = Closes()
    copied = without_finalizer(copy(model))
    kind: Any = type(copied)
    assert (isinstance(copied, Closes), kind.__name__, kind.__qualname__, kind.__module__) == (
        True, "Closes", "Closes", __name__,
    )  # fmt: skip
    again = without_finalizer(copy(copied))
    assert type(again) is kind
    del copied, again
    assert model.client == {}


def test_a_copy_of_what_has_no_end_is_left_as_it_is() -> None:
    assert type(without_finalizer([1])) is list


@pytest.mark.parametrize("kind", [Listed, Final, Once])
def test_nothing_is_derived_where_it_would_be_heard_or_is_forbidden(kind: type[Any]) -> None:
    copied = without_finalizer(kind())
    assert type(copied) is kind
    assert Listed.listed == []
