"""A self-contained HTML page: the style is inline, nothing is loaded, no script may run; light and dark."""

from __future__ import annotations

from pathlib import Path

from capability_router.drawing.markup import Markup, element, join

_STYLE = Path(__file__).with_name("document.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_HATCH = Markup(
    '<svg width="0" height="0" class="defs" aria-hidden="true"><defs><pattern id="hatch" width="5" height="5" '
    'patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line x1="0" y1="0" x2="0" y2="5" class="hatching"/>'
    "</pattern></defs></svg>"
)


def document(title: str, *parts: Markup) -> str:
    """The page of these parts; its style has classes for tables, charts and what they draw."""
    head = join(
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        element("title", title), element("style", Markup(_STYLE.read_text(encoding="utf-8"))),
    )  # fmt: skip
    main = element("main", *parts)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{_HATCH}{main}</body></html>\n'
