"""What the built-in detector knows: a row per label, with words without which a text need not be searched.

Each pattern takes linear time on any text: a repetition that could begin in many places of a text starts only after a
character that it can't match, and is possessive.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from capability_router.screening.numbers import is_account, is_card


class LabelPattern(NamedTuple):
    """`gates`: a text without any of these holds none, which is checked in a fraction of the pattern's time;
    "" = always search.

    `holds`: a further condition on a match; None = a match is enough.
    """

    label: str
    gates: tuple[str, ...]
    pattern: re.Pattern[str]
    holds: Callable[[re.Match[str]], bool] | None = None


def _card(match: re.Match[str]) -> bool:
    return is_card(match[0])


def _account(match: re.Match[str]) -> bool:
    return is_account(match.string, match.start())


def _mixed(match: re.Match[str]) -> bool:
    """Not a word of a language: it has upper and lower case letters and digits."""
    key = match[0].removeprefix("sk-")
    return any(map(str.isdigit, key)) and any(map(str.isupper, key)) and any(map(str.islower, key))


def _kind(label: str, gates: str, pattern: str, holds: Callable[[re.Match[str]], bool] | None = None) -> LabelPattern:
    return LabelPattern(label, tuple(gates.split()) or ("",), re.compile(pattern), holds)


_ALONE = r"(?<![A-Za-z0-9_-])"  # in front of a key
_KEY = "[A-Za-z0-9_-]"
_APART, _END = r"(?<![0-9A-Za-z].)", "(?![0-9A-Za-z])"  # in Chinese or Japanese there are letters right beside it
_GAP = "[ \u00a0\u202f\u2010-\u2013-]"  # between the groups of a card's number
_GROUPS = (
    rf"[0-9]{{3}}(?:(?P<a>{_GAP})[0-9]{{4}}(?P=a)[0-9]{{4}}(?P=a)[0-9]{{4}}(?:(?P=a)[0-9]{{3}})?"
    rf"|(?P<b>{_GAP})[0-9]{{6}}(?P=b)[0-9]{{4,5}})"
)
KINDS = (
    _kind("pii.email", "@", rf"@(?<=[\w.%+-]@)(?<!(?<![\w.%+-])git@)(?:[\w-]{{1,63}}+\.){{1,8}}[^\W\d_]{{2,24}}{_END}"),
    _kind("pii.card", "", rf"[2-6]{_APART}(?<![0-9]\..)(?:[0-9]{{12,18}}+|{_GROUPS}){_END}(?![.-][0-9])", _card),
    _kind("pii.iban", "", rf"[A-Z]{_APART}[A-Z][0-9]{{2}} ?[A-Z0-9]", _account),
    _kind("pii.ssn", "-", rf"[0-8]{_APART}(?<!-.)(?!00|66)[0-9]{{2}}-(?!00)[0-9]{{2}}-(?!0000)[0-9]{{4}}{_END}(?!-)"),
    _kind("secret.private_key", "PRIVATE", r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    _kind("secret.aws", "AKIA ASIA", r"(?<![A-Za-z0-9])A[KS]IA[A-Z2-7]{16}(?![A-Za-z0-9])"),
    _kind("secret.anthropic", "sk-ant-", rf"{_ALONE}sk-ant-{_KEY}{{20,}}+"),
    _kind("secret.openai", "sk-", rf"{_ALONE}sk-(?!ant-){_KEY}{{20,}}+", _mixed),
    _kind("secret.google", "AIza", rf"{_ALONE}AIza{_KEY}{{35}}(?!{_KEY})"),
    _kind(
        "secret.github", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        rf"{_ALONE}(?:gh[pousr]_[A-Za-z0-9]{{36,}}+|github_pat_[A-Za-z0-9_]{{22,}}+)",
    ),
    _kind("secret.gitlab", "glpat-", rf"{_ALONE}glpat-{_KEY}{{20,}}+"),
    _kind(
        "secret.slack", "xox xapp- hooks.slack.com",
        rf"{_ALONE}(?:xox[abeoprs]-[A-Za-z0-9-]{{10,}}+|xapp-[A-Za-z0-9-]{{10,}}+)|hooks\.slack\.com/services/T\w{{8}}",
    ),
    _kind("secret.stripe", "k_live_ k_test_", rf"{_ALONE}[rs]k_(?:live|test)_[A-Za-z0-9]{{16,}}+"),
    _kind("secret.huggingface", "hf_", rf"{_ALONE}hf_[A-Za-z0-9]{{30,}}+"),
    _kind("secret.jwt", "eyJ", rf"{_ALONE}eyJ{_KEY}{{8,}}+\.eyJ{_KEY}{{8,}}+\.{_KEY}{{8,}}+"),
    _kind("secret.url_password", "://", r"://[^\s/:@]{0,64}+:[^\s/@]{1,128}+@"),
)  # fmt: skip
