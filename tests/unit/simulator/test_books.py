from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from capability_router.money.price import Price
from capability_router.request import Usage
from capability_router.simulator.books import cost_pico

usd = st.decimals(min_value=0, max_value=100, places=6)


@given(
    st.fixed_dictionaries(
        {"input_mtok": usd, "output_mtok": usd}, optional={"cache_read_mtok": usd, "per_request": usd}
    ),
    st.integers(0, 10**7), st.integers(0, 10**7), st.floats(0, 1),
)  # fmt: skip
def test_the_bill_agrees_with_the_routers_price(price: dict[str, object], given_: int, made: int, share: float) -> None:
    usage = Usage(given_, made, cache_read_tokens=int(given_ * share))
    router = Price(**price).cost(usage)  # type: ignore[arg-type]  # the strategy's values are numbers
    assert cost_pico(price, usage) == router


def test_by_hand() -> None:
    usage = Usage(1_000, 500, cache_read_tokens=400, reasoning_tokens=100)
    price = {"input_mtok": 0.25, "output_mtok": 2.0, "cache_read_mtok": 0.025}
    assert cost_pico(price, usage) == 600 * 250_000 + 400 * 25_000 + 500 * 2_000_000
    assert cost_pico({"input_mtok": 1, "output_mtok": 1, "per_request": "0.01"}, Usage(1, 1)) == 2_000_000 + 10**10
