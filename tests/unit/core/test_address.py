"""What is left of a URL where its keys are taken out."""

from __future__ import annotations

import pytest

from capability_router.address import keyless, shown

URLS = [
    ("https://host:8/v1?api-version=1&code=hunter2", "https://host:8/v1?api-version=1", "https://host:8/v1"),
    ("https://user:hunter2@host/v1?api-version=1", "https://host/v1?api-version=1", "https://host/v1"),
    ("http://[::1]:8/v1?mail=a@b", "http://[::1]:8/v1?mail=a@b", "http://[::1]:8/v1"),
]


@pytest.mark.parametrize(("url", "kept", "for_texts"), URLS)
def test_what_is_kept_of_a_url_and_what_is_shown(url: str, kept: str, for_texts: str) -> None:
    assert (keyless(url), shown(url)) == (kept, for_texts)


def test_a_path_may_have_an_at_sign() -> None:
    assert keyless("https://host/@scope/v1") == "https://host/@scope/v1"
