"""The built-in detector: what it finds, what it takes for something else, and that no text makes it slow."""

from __future__ import annotations

import json
import sys
from random import Random
from time import thread_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capability_router import ConfigError
from capability_router.screening.detector import Detector
from capability_router.screening.labels import LABELS
from capability_router.screening.numbers import is_account, is_card
from capability_router.screening.patterns import KINDS

pytest.importorskip("phonenumbers", reason="telephone numbers need phonenumbers (the extra `screen`)")

ALL = Detector(phone_region="US")
KEY = "Abc1Def2Ghi3Jkl4Mno5Pqr6Stu7Vwx8Yz90"  # no one's
FOUND = {
    "write to jane.doe+news@mail.example.co.uk, please": "pii.email",
    "müller@exämple.de": "pii.email",
    "4111 1111 1111 1111": "pii.card",
    "4111-1111-1111-1111.": "pii.card",
    "4111111111111111": "pii.card",
    "it is 3782 822463 10005": "pii.card",
    "5105105105105100": "pii.card",
    "DE89 3704 0044 0532 0130 00 is hers": "pii.iban",
    "GB82WEST12345698765432": "pii.iban",
    "SSN: 123-45-6789": "pii.ssn",
    "+49 30 901820": "pii.phone",
    "call (212) 555-0123 now": "pii.phone",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nabc": "secret.private_key",
    "-----BEGIN PRIVATE KEY-----": "secret.private_key",
    "AKIAIOSFODNN7EXAMPLE": "secret.aws",
    f"OPENAI_API_KEY=sk-proj-{KEY}": "secret.openai",
    f"sk-ant-api03-{KEY}": "secret.anthropic",
    f"AIza{KEY[:35]}": "secret.google",
    f"ghp_{KEY}": "secret.github",
    f"github_pat_{KEY}_{KEY}": "secret.github",
    f"glpat-{KEY}": "secret.gitlab",
    f"xoxb-{KEY}": "secret.slack",
    "https://hooks.slack.com/services/T01234567/B01/x": "secret.slack",
    f"sk_live_{KEY}": "secret.stripe",
    f"hf_{KEY}": "secret.huggingface",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl": "secret.jwt",
    "postgres://app:hunter2@db:5432/main": "secret.url_password",
    "redis://:hunter2@cache:6379/0": "secret.url_password",
    "first.git@example.com": "pii.email",
    "_jane@example.com_": "pii.email",
    "4111\u20111111\u20111111\u20111111": "pii.card",
    "+1 212 555 0123": "pii.phone",
    "212-555-0123x45": "pii.phone",
}
# In Chinese and Japanese no space stands beside a number; JSON and Python write some characters as escapes.
BESIDE_LETTERS = {
    "卡号4111111111111111请": "pii.card",
    "番号は3530111333300000です": "pii.card",
    "账号DE89370400440532013000号": "pii.iban",
    "社保号123-45-6789号": "pii.ssn",
    "电话(212) 555-0123请": "pii.phone",
    "联系jane@example.com请在明天之前回复我关于合同的问题谢谢你的帮助和支持": "pii.email",
}
ESCAPED = {
    str({"note": "see\n4111 1111 1111 1111"}): "pii.card",
    repr("4111\u00a01111\u00a01111\u00a01111"): "pii.card",
    json.dumps({"note": "卡号4111111111111111"}): "pii.card",
    json.dumps(json.dumps({"note": "of\nAKIAIOSFODNN7EXAMPLE"})): "secret.aws",
    r'{"url": "postgres:\/\/app:hunter2@db\/main"}': "secret.url_password",
    r"https://CORP\tom:hunter2@host/": "secret.url_password",
}


@pytest.mark.parametrize(("text", "label"), [*FOUND.items(), *BESIDE_LETTERS.items(), *ESCAPED.items()])
def test_each_label_is_found_once(text: str, label: str) -> None:
    assert ALL.found([text]) == {label: 1}


def test_every_label_has_a_text_above() -> None:
    assert set(FOUND.values()) == set(LABELS) == {*(kind.label for kind in KINDS), "pii.phone"}


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:owner/name.git", "lodash@4.17.21", "@decorator.name", "a @ b.com",
        "4111 1111 1111 1112", "0.4111111111111111", "41111111111111111111", "x4111111111111111", "1234567890123456",
        "DE89 3704 0044 0532 0130 01", "DE893704004405320130001", "ZZ89 3704 0044 0532 0130 00", "DE89 3704",
        "000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "1123-45-67890",
        "2026-11-27 10:15:00", "3.141592653589", "2125550123", "550e8400-e29b-41d4-a716-446655440000",
        "-----BEGIN PUBLIC KEY-----", "AKIA is short", "task-sk-a-class-name-that-is-long-enough", "sk-learn",
        "sk-a-class-name-that-is-long-enough", "eyJ.eyJ.x", "https://host:8080/path", "hf_short",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert ALL.found([text]) == {}


def test_counts_are_of_all_texts_and_of_what_is_asked_for_alone() -> None:
    texts = ["a@example.com b@example.com", "", "c@example.com 4111111111111111 " + "word " * 100]
    assert ALL.found(texts) == {"pii.email": 3, "pii.card": 1}
    assert Detector(["pii.card"]).found(texts) == {"pii.card": 1}


def test_a_text_is_remembered_by_its_digest_alone() -> None:
    detector, text = Detector(["pii.email"]), "to jane@example.com " + "and so on " * 50
    assert detector.found([text]) == detector.found([text]) == {"pii.email": 1}
    assert len(detector._known) == 1
    assert "jane" not in repr(vars(detector))


def test_telephone_numbers_need_a_region_or_a_plus() -> None:
    assert Detector(["pii.phone"]).found(["(212) 555-0123"]) == {}
    assert Detector(["pii.phone"], "DE").found(["030 901820"]) == {"pii.phone": 1}


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(ConfigError, match=r"install capability-router\[screen\]"):
        Detector()
    assert Detector(["pii.email"]).found(["a@example.com"])


def test_no_region_is_made_up() -> None:
    with pytest.raises(ConfigError, match="phone_region must be a country's two letters"):
        Detector(phone_region="XX")


# -- numbers --------------------------------------------------------------------------------------


@given(st.integers(0, 10**14 - 1), st.integers(0, 14))
def test_a_card_with_another_digit_is_none(body: int, at: int) -> None:
    digits = f"4{body:014d}"
    number = next(f"{digits}{last}" for last in range(10) if is_card(f"{digits}{last}"))
    changed = f"{number[: at + 1]}{(int(number[at + 1]) + 1) % 10}{number[at + 2 :]}"
    assert not is_card(changed)
    assert sum(is_card(f"{digits}{last}") for last in range(10)) == 1


@given(st.text("0123456789", min_size=18, max_size=18))
def test_an_account_with_another_digit_is_none(body: str) -> None:
    check = 98 - int(f"{body}131400") % 97  # D is 13, E is 14
    account = f"DE{check:02d}{body}"
    assert is_account(account, 0)
    assert is_account(f"{account[:4]} {account[4:]}.", 0)
    assert not is_account(f"{account[:-1]}{(int(account[-1]) + 1) % 10}", 0)


# -- time -----------------------------------------------------------------------------------------

PIECES = (
    "@", "a@", "a.", "a@a.", "4", "4 ", "4111 ", "4111-", "DE89", "DE89 ", "A1 ", "1-", "123-45-", "-----BEGIN ", "A ",
    "PRIVATE", "AKIA", "sk-", "sk-a", "sk-ant-", "AIza", "ghp_", "github_pat_", "glpat-", "xoxb-", "xapp-",
    "hooks.slack.com", "sk_live_", "hf_", "eyJ", "éeyJ", "eyJaaaaaaaa.", "://", "://a:", "+1", "+1 ", "(", "(1", "1 ",
    "1.", "2026-11-27 ", "212-555-", " ", "é", "\n", "\\", "\\n", "\\u00e", "\\x",
)  # fmt: skip


def seconds(text: str) -> float:
    """At best of three: another process may take the processor meanwhile, but not the thread's own time."""
    times = []
    for _ in range(3):
        began = thread_time()
        ALL._looked(text)
        times.append(thread_time() - began)
    return min(times)


@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_as_the_text_does(piece: str) -> None:
    short, long = piece * (2_000 // len(piece)), piece * (16_000 // len(piece))
    assert seconds(long) < 24 * seconds(short) + 0.005  # 8 times the text; 64 times the time were it quadratic


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5))
def test_no_mixture_of_pieces_is_slow(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert seconds(text * (4_000 // len(text))) < 0.2


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400), st.sampled_from(sorted(FOUND)))
def test_any_text_is_read_and_hides_nothing_that_stands_apart(text: str, told: str) -> None:
    assert ALL.found([f"{text} \n {told} \n {text}"]).get(FOUND[told], 0) >= 1


def test_of_the_long_numbers_of_a_table_few_are_taken_for_cards() -> None:
    dice = Random(7)
    rows: list[Any] = [
        {"id": dice.randrange(10**15, 10**16), "at": 1.7e9 + n, "v": dice.random()} for n in range(2_000)
    ]
    found = ALL.found([json.dumps(rows)])
    assert set(found) <= {"pii.card"}
    assert found.get("pii.card", 0) <= 60  # by lot: a tenth of those with an issuer's prefix


def test_gates_are_of_what_is_looked_for() -> None:
    for kind in KINDS:
        texts = [text for text, label in FOUND.items() if label == kind.label]
        assert texts
        assert all(any(gate in text for gate in kind.gates) for text in texts), kind.label
