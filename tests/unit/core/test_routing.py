import asyncio
import threading
from collections.abc import Iterator
from contextvars import Context, copy_context

import pytest

from capability_router import ConfigError, Routing, current_routing, routing


def test_blocks_nest_and_end() -> None:
    with routing(tenant="acme", tags=["a"]):
        with routing(task="code", deny="x"):
            assert (current_routing().tenant, current_routing().task, current_routing().deny) == (
                "acme",
                "code",
                ("x",),
            )
        assert current_routing().task == ""
    assert current_routing().tenant == ""


def test_data_terms_are_flattened() -> None:
    with routing(data={"regions": ["eu"], "training": False}):
        assert (current_routing().regions, current_routing().training) == (("eu",), False)


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"tenent": "a"}, "did you mean 'tenant'"),
        ({"data": {"region": "eu"}}, "regions"), ({"data": "eu"}, "mapping"),
        ({"quality_target": 1.5}, "0 to 1"), ({"deadline_s": "soon"}, "number"),
        ({"max_cost_usd": float("nan")}, "0 or more"),
        ({"deadline_s": -1}, "0 or more"),
        ({"data": {"training": "no"}}, "True or False"), ({"data": {"retention": "zreo"}}, "'zero' or days"),
        ({"data": {"retention": True}}, "'zero' or days"), ({"pin": 5}, "a model's id"),
        ({"tags": 5}, "a list of texts"),
        ({"deny": {"a": 1}}, "a list of texts"),
    ],
)  # fmt: skip
def test_wrong_terms(terms: dict, told: str) -> None:
    with pytest.raises(ConfigError, match=told), routing(**terms):
        pass


async def test_tasks_do_not_see_each_other() -> None:
    async def who(name: str) -> str:
        with routing(tenant=name):
            await asyncio.sleep(0.001)
            return current_routing().tenant

    assert await asyncio.gather(*(who(str(i)) for i in range(20))) == [str(i) for i in range(20)]


def test_another_thread_starts_without_terms() -> None:
    seen = []
    with routing(tenant="acme"):
        thread = threading.Thread(target=lambda: seen.append(current_routing().tenant))
        thread.start()
        thread.join()
    assert seen == [""]


def test_nothing_said_is_no_term() -> None:
    assert Routing().merged({"tags": None, "pin": None, "data": {"training": None, "regions": None}}) == Routing()


def test_a_generators_block_may_end_in_another_context() -> None:
    """Each step of a blocking stream runs in a copy of its own, where a web server reads it in threads."""

    def stream() -> Iterator[str]:
        with routing(tenant="acme"):
            yield current_routing().tenant
            yield "more"

    steps = stream()
    assert [copy_context().run(next, steps) for _ in range(2)] == ["acme", "more"]
    assert copy_context().run(next, steps, "end") == "end"
    assert current_routing().tenant == ""


def test_a_copy_that_still_has_the_blocks_terms_loses_them_at_its_end() -> None:
    def stream() -> Iterator[Context]:
        with routing(tenant="acme"):
            yield copy_context()

    steps = stream()
    with routing(tenant="around"):
        later = copy_context().run(next, steps)
        assert later.run(current_routing).tenant == "acme"
        later.run(next, steps, None)
        assert (later.run(current_routing).tenant, current_routing().tenant) == ("around", "around")
