"""single: no scoring; the models in the order in which they were given."""

from __future__ import annotations

from capability_router.policies.base import Row, Scene, Scored, Static


class Single(Static):
    """The first eligible model; the rest, in order, are its fallbacks."""

    name = "single"

    def score(self, scene: Scene) -> list[Scored]:
        """Falling numbers."""
        return [(-float(i), ()) for i in range(len(scene.rows))]

    def reason(self, scene: Scene, best: Row) -> str:
        """The order, and what was passed over."""
        first = next(iter(scene.rows)).card.id
        return "first in order" if best.card.id == first else f"first in order that is usable ({first} is held)"
