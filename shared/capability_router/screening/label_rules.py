"""What each label requires, from `screen.labels`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.screening.labels import LABELS
from capability_router.screening.requirement import CAREFUL, LabelRequirement

ANY = "*"


class LabelRules:
    """By label, by the beginning of one up to a dot, or by "*"; the longest match applies, else CAREFUL."""

    def __init__(self, demands: Mapping[str, LabelRequirement]) -> None:
        self.demands = dict(demands)

    def of(self, label: str) -> LabelRequirement:
        """What this label requires."""
        names = (*reversed(list(_heads(label))), ANY)
        return next((self.demands[name] for name in names if name in self.demands), CAREFUL)

    def names(self, label: str) -> bool:
        """Whether there is a rule for it, or for any label."""
        return ANY in self.demands or any(head in self.demands for head in _heads(label))

    def sought(self) -> tuple[str, ...]:
        """The built-in labels with a rule; all if there are no rules, or one for any label."""
        if not self.demands or ANY in self.demands:
            return LABELS
        return tuple(label for label in LABELS if any(head in self.demands for head in _heads(label)))

    @staticmethod
    def builtin(name: str) -> bool:
        """Whether a label of the built-in detector begins so."""
        return name in _BUILTIN

    def check(self) -> None:
        """Raises ConfigError for a name that no built-in label has; its text continues after 'screen'."""
        known = [*_BUILTIN, ANY]
        for name in self.demands:
            if name not in known:
                raise ConfigError(
                    f"names {name!r}, which the built-in detector does not look for{nearest(name, known)}"
                )


def _heads(label: str) -> Iterable[str]:
    """'pii.card' -> 'pii', 'pii.card'."""
    parts = label.split(".")
    return (".".join(parts[: n + 1]) for n in range(len(parts)))


_BUILTIN = dict.fromkeys(head for label in LABELS for head in _heads(label))
