"""A store's URL as it may be shown."""

from __future__ import annotations

from urllib.parse import urlsplit


def shown_url(url: str) -> str:
    """The URL without a password, for errors and logs."""
    try:
        parts = urlsplit(url)
        user, host, port = parts.username or "", parts.hostname or "", parts.port
    except ValueError:
        return f"{url.partition('://')[0]}://..."
    who = f"{user}:***@" if parts.password else f"{user}@" if user else ""
    return f"{parts.scheme}://{who}{host}{f':{port}' if port else ''}{parts.path}"
