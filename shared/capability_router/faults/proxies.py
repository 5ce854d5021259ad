"""Recognises error answers of a proxy, firewall or CDN in front of the provider: they do not mean a bad API key.

APIs answer in JSON. An HTML page with status 403 comes from something in front of the API (Akamai, CloudFront and its
firewall, Front Door, Imperva, nginx, Google's front end, a company's own); with 401 it may still be about the key. An
HTML page with 400 comes from there too: it is not about the request's content, but about the server or about headers
that are too large. With 413 it is the limit in bytes of what stands in front, not the model's window.
"""

from __future__ import annotations

import re

from capability_router.faults.evidence import ExceptionLink, held_texts, read
from capability_router.faults.hints import asks_for_proxy

_MARKUP = r"<(?:!doctype|html|head|body|\?xml|!--)"
_PAGE = re.compile(rf"\s*{_MARKUP}")
_PAGE_INSIDE = re.compile(_MARKUP)
_RULES = re.compile(
    r"error code: 10\d\d|rbac: access denied|\bvirtual network\b|\bvnet\b|public access is disabled"
    r"|blocked by (?:network|security) policy|\bprivate (?:endpoint|link)\b|\bfirewall\b|\bvpn\b"
    r"|\b(?:this|your) network\b|\bnetwork (?:settings|rules?|polic(?:y|ies)|security|restrictions?)\b"
)
"""Texts of those that answer in plain text or JSON: Cloudflare, Envoy, Azure's and other network rules."""
_ADDRESS = re.compile(
    r"\bip(?: address(?:es)?| range)?\b.{0,60}\b(?:not|isn't|blocked|denied|forbidden|restricted|allow-?list)\b"
    r"|\b(?:blocked|denied|restricted|forbidden)\b.{0,40}\bip\b|\bip (?:restrictions?|rules?|filter)\b"
)
"""Refused because of the caller's address; if the text is about a key, that key alone may be bound to addresses."""
_HEADERS = re.compile(r"request header or cookie too large|header fields? too long")


def proxy_fault_kind(link: ExceptionLink) -> str:
    """The kind of fault of such an answer; "" if it is the provider's own."""
    if link.status == 407 or (link.status == 401 and asks_for_proxy(link)):
        return "connection"
    if link.status == 400 and _is_page(link):
        return "unsupported" if any(_HEADERS.search(text) for text in link.texts) else "server_error"
    if link.status == 413 and _is_page(link):
        return "unsupported"
    if link.status != 403:
        return ""
    if asks_for_proxy(link):
        return "connection"
    return "server_error" if _is_page(link) or any(map(_of_network, link.texts)) else ""


def _of_network(text: str) -> bool:
    return bool(_RULES.search(text) or (_ADDRESS.search(text) and "key" not in text))


def _is_page(link: ExceptionLink) -> bool:
    """Whether the body is markup. A text within JSON must begin with it, because it may quote the request."""
    if read(link.error, "page") is True:  # the built-in client keeps this flag instead of the page
        return True
    within = _PAGE.match if link.bodies else _PAGE_INSIDE.search
    return any(within(text) for text in link.texts) or any(map(_PAGE.match, held_texts(link.error)))
