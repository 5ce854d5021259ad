"""The settings of one cap: whose spending, how much, over which window, and what happens at the limit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from capability_router.errors import ConfigError
from capability_router.money.budget.window import WINDOWS, rolling_s
from capability_router.money.price import pico
from capability_router.nearest import nearest

OnExceed = Literal["refuse", "degrade", "warn"]
ON_EXCEED: tuple[OnExceed, ...] = get_args(OnExceed)
SCOPES = ("global", "tenant", "tag", "task", "chain", "model", "provider", "credential")
EACH = "*"
_CREDENTIAL = re.compile(r"[0-9a-f]{12}|[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")  # no provider's key looks like this


@dataclass(frozen=True, slots=True)
class BudgetSpec:
    """One cap.

    `on_exceed`: "refuse": the request fails (with a cap on a model, provider or credential only that one is left out);
    "degrade": only models that fit are tried; "warn": it is only logged. `scope`: "global", "tenant:acme", or
    "tenant:*" for each tenant that has no cap of its own. A credential is named by its mark in the ledger, or by the
    environment variable that holds the key.
    """

    scope: str
    limit_usd: float
    window: str = "total"
    on_exceed: OnExceed = "refuse"

    def __post_init__(self) -> None:
        kind, _, name = (part.strip() for part in self.scope.partition(":"))
        if kind not in SCOPES or (kind != "global") != bool(name):
            hint = nearest(kind, SCOPES, "") if kind not in SCOPES else ""
            raise ConfigError(
                f"budget scope {self.scope!r}: write 'global' or one of {', '.join(SCOPES[1:])} as 'tenant:acme', "
                f"or 'tenant:*' for each by itself{hint}"
            )
        if kind == "credential" and name != EACH and not _CREDENTIAL.fullmatch(name):  # not quoted: it may be the key
            raise ConfigError(
                "budget scope 'credential:...': name a key by its mark in the ledger (12 hexadecimal digits; "
                "`capability-router ledger total --by credential`), or by the variable that holds it, as in "
                "'credential:OPENAI_API_KEY'; 'credential:*' is each by itself"
            )
        if EACH in name and name != EACH:
            raise ConfigError(f"budget scope {self.scope!r}: '*' stands alone, as '{kind}:*', for each by itself")
        if self.window not in WINDOWS and not rolling_s(self.window):
            raise ConfigError(
                f"budget window {self.window!r}: one of {', '.join(WINDOWS)} or 'rolling:<seconds>' above 0"
                f"{nearest(self.window, WINDOWS, '')}"
            )
        if self.on_exceed not in ON_EXCEED:
            hint = nearest(self.on_exceed, ON_EXCEED, "")
            raise ConfigError(f"budget on_exceed {self.on_exceed!r}: write one of {', '.join(ON_EXCEED)}{hint}")
        pico(self.limit_usd)
        object.__setattr__(self, "scope", f"{kind}:{name}" if name else kind)

    @property
    def kind(self) -> str:
        """The part before the colon: "tenant" of "tenant:acme"."""
        return self.scope.partition(":")[0]

    @property
    def each(self) -> bool:
        """Whether each tenant (tag, ...) has the cap for itself."""
        return self.scope.endswith(f":{EACH}")


def keys(specs: Sequence[BudgetSpec]) -> list[str]:
    """The names under which a store keeps these caps; raises ConfigError if two of them are the same.

    Of several for one scope and window the strictest has the plain name, so that it goes on when another is added.
    """
    strictest: dict[tuple[str, str], OnExceed] = {}
    seen: set[tuple[str, str, str]] = set()
    for spec in sorted(specs, key=lambda spec: ON_EXCEED.index(spec.on_exceed)):
        strictest.setdefault((spec.scope, spec.window), spec.on_exceed)
        if (spec.scope, spec.window, spec.on_exceed) in seen:
            raise ConfigError(f"budgets: {spec.scope} has two caps per {spec.window} with {spec.on_exceed}; keep one")
        seen.add((spec.scope, spec.window, spec.on_exceed))
    return [
        f"{spec.window}|{spec.scope}" if strictest[spec.scope, spec.window] == spec.on_exceed
        else f"{spec.window}~{spec.on_exceed}|{spec.scope}"
        for spec in specs
    ]  # fmt: skip
