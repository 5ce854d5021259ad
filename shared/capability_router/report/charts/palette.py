"""Colours of names, the same in every chart, and their legend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from capability_router.drawing.markup import Markup, element

COLOURS = 7


class Palette:
    """A colour class per name; names beyond the palette share a neutral one."""

    def __init__(self, names: Sequence[str]) -> None:
        self._classes = {name: f"s{i}" if i < COLOURS else "sx" for i, name in enumerate(names)}

    def of(self, name: str | None) -> str:
        """The class of a name; the neutral one for a stranger."""
        return self._classes.get(name or "", "sx")

    def legend(self, names: Iterable[str]) -> Markup:
        """A key to these names; what shares the neutral colour is one entry."""
        names = list(names)
        coloured = [name for name in names if self.of(name) != "sx"]
        grey = [name for name in names if self.of(name) == "sx"]
        keys = [_key(name or "(none)", self.of(name)) for name in coloured]
        if grey:
            keys.append(_key(grey[0] or "(none)" if len(grey) == 1 else f"{len(grey):,} others", "sx"))
        return element("ul", *keys, class_="legend")


def _key(name: str, class_: str) -> Markup:
    swatch = element("circle", cx=6, cy=6, r=6, class_=class_)
    return element("li", element("svg", swatch, viewBox="0 0 12 12", aria_hidden="true"), name)
