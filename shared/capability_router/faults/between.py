"""What a proxy, a firewall or a content network answers in a provider's place: a fault of the way, not of the key.

APIs answer in JSON. At 403 a page for people comes from something before them, whoever made it (Akamai, CloudFront and
its firewall, Front Door, Imperva, nginx, Google's front end, a company's own); at 401 it may still be about the key.
So does a page at 400, which says nothing of what was asked: it is about this server, or about headers that it finds too
large.
"""

from __future__ import annotations

import re

from capability_router.faults.evidence import Link, held_texts, read
from capability_router.faults.hints import asks_for_proxy

_MARKUP = r"<(?:!doctype|html|head|body|\?xml|!--)"
_PAGE = re.compile(rf"\s*{_MARKUP}")
_PAGE_INSIDE = re.compile(_MARKUP)
_RULES = re.compile(
    r"error code: 10\d\d|rbac: access denied|due to virtual network/firewall rules"
    r"|blocked by (?:network|security) policy"
)
"""What some of them say in plain words, or in JSON: Cloudflare, Envoy, Azure's network rules."""
_HEADERS = re.compile(r"request header or cookie too large|header fields? too long")


def put_before(link: Link) -> str:
    """The kind of fault that such an answer is, "" if it is the provider's own."""
    if link.status == 407 or (link.status == 401 and asks_for_proxy(link)):
        return "connection"
    if link.status == 400 and _is_page(link):
        return "unsupported" if any(_HEADERS.search(text) for text in link.texts) else "server_error"
    if link.status != 403:
        return ""
    if asks_for_proxy(link):
        return "connection"
    return "server_error" if _is_page(link) or any(_RULES.search(text) for text in link.texts) else ""


def _is_page(link: Link) -> bool:
    """Whether the body is markup. What stands within JSON may quote a request, so that only its beginning counts."""
    if read(link.error, "page") is True:  # the built-in client keeps no page
        return True
    within = _PAGE.match if link.bodies else _PAGE_INSIDE.search
    return any(within(text) for text in link.texts) or any(map(_PAGE.match, held_texts(link.error)))
