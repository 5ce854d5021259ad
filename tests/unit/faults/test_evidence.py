"""Where the words, the numbers and the texts of an exception are found, and how far is looked."""

from __future__ import annotations

import json
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from unit.faults.shapes import build

from capability_router.faults.evidence import ExceptionLink, class_names, details, links, read


def odd(*args: object, name: str = "x:Odd", **attrs: object) -> BaseException:
    return build({"classes": [name, "builtins:Exception"], "args": args, "attrs": attrs})


def only(*args: object, **attrs: object) -> ExceptionLink:
    (link,) = links(odd(*args, **attrs))
    return link


def loaded(content: bytes) -> SimpleNamespace:
    return SimpleNamespace(_content=content)


@pytest.mark.parametrize("module", [None, 3, ""])
def test_a_class_may_say_that_it_is_of_no_module(module: object) -> None:
    (link,) = links(type("Odd", (Exception,), {"__module__": module})("it broke"))
    assert link.texts == ("it broke",)


# -- statuses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attrs",
    [
        {"status_code": 429}, {"response": SimpleNamespace(status_code=429)}, {"code": 429}, {"status": 429},
        {"response": SimpleNamespace(status=429)}, {"response": {"ResponseMetadata": {"HTTPStatusCode": 429}}},
        *({"body": {key: 429}} for key in ("code", "status", "statusCode", "status_code")),
        *({"body": {"error": {key: "429"}}} for key in ("code", "status", "statusCode", "status_code")),
    ],
    ids=str,
)  # fmt: skip
def test_a_status_is_found_in_each_of_its_places(attrs: dict[str, Any]) -> None:
    assert only(**attrs).status == 429


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (300, 300), (299, None), (599, 599), (600, None), ("500", 500), ("50", None), ("5000", None), ("5x0", None),
        ("0500", None), ("५००", None), (429.0, None), ("", None),
    ],
)  # fmt: skip
def test_a_status_is_a_whole_number_of_three_digits(value: object, status: int | None) -> None:
    assert only(status_code=value).status == status


def test_the_clients_own_status_goes_before_the_bodys() -> None:
    assert only(status_code=500, body={"code": 429}, code=404).status == 500
    assert only(status_code=0, response=SimpleNamespace(status_code=503), code=404).status == 503
    assert only(code=404, status=500, body={"code": 429}).status == 404


# -- codes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["code", "type", "status", "reason", "error_code", "error_type", "Code"])
@pytest.mark.parametrize("inner", ["error", "Error", ""])
def test_a_code_is_found_under_each_of_its_names(key: str, inner: str) -> None:
    body = {key: "busy"}
    assert only(body={inner: body} if inner else body).codes == ("busy",)


@pytest.mark.parametrize("key", ["error_code", "code", "type", "status"])
def test_an_exceptions_own_code_is_found(key: str) -> None:
    assert only(**{key: "busy"}).codes == ("busy",)


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({"innererror": {"code": "deep"}}, ("deep",)), ({"details": {"error_code": "deep"}}, ("deep",)),
        ({"details": [{"reason": "one"}, "no object", {"reason": "two"}]}, ("one", "two")),
        ({"error": "rate_limit_exceeded"}, ("rate_limit_exceeded",)), ({"error": "some sentence"}, ()),
        ({"type": "error", "code": "busy"}, ("busy",)), ({"code": "error"}, ("error",)),
        ({"code": "busy", "type": "busy"}, ("busy",)), ({"code": ""}, ()), ({"code": "c" * 64}, ("c" * 64,)),
        ({"code": "c" * 65}, ()), ({"code": "c"}, ("c",)), ({"code": ["busy"]}, ()),
    ],
)  # fmt: skip
def test_the_codes_of_a_body(body: dict[str, Any], codes: tuple[str, ...]) -> None:
    assert only(body=body).codes == codes


def test_of_a_long_list_of_details_the_first_sixteen_are_read() -> None:
    listed = [{"reason": f"r{n}"} for n in range(20)]
    assert details({"details": listed}) == listed[:16]
    assert details({"details": {"reason": "r"}}) == []


# -- bodies and texts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        odd(body={"code": "busy"}), odd(details={"code": "busy"}), odd(response={"code": "busy"}),
        odd({"code": "busy"}), odd(response=loaded(b'{"code": "busy"}')), odd(body=[{"code": "busy"}]),
        odd(response=loaded(b'[{"error": {"code": "busy"}}]')),
        odd(status_code=400, content=b'{"code": "busy"}'), odd(status_code=400, content='{"code": "busy"}'),
        odd(status_code=400, content={"code": "busy"}),
    ],
    ids=range(10),
)  # fmt: skip
def test_a_body_is_found_in_each_of_its_places(error: BaseException) -> None:
    (link,) = links(error)
    assert link.codes == ("busy",)


def test_the_inner_object_is_read_before_its_envelope() -> None:
    link = only(body={"code": "outer", "error": {"code": "inner"}})
    assert link.codes == ("inner", "outer")
    assert link.bodies == ({"code": "inner"}, {"code": "outer", "error": {"code": "inner"}})


@pytest.mark.parametrize("held", [None, [], {}, "text", ["text"], b"{}", 3])
def test_what_is_no_object_is_no_body(held: object) -> None:
    assert only(body=held).bodies == ()


def test_the_content_of_an_exception_without_a_status_is_no_body() -> None:
    link = only(content='{"code": "busy"}')
    assert (link.codes, link.texts, link.bodies) == ((), (), ())


def test_the_content_of_an_exception_is_one_of_its_texts() -> None:
    assert only("400 at a URL", status_code=400, content=b"Zu lang").texts == ("400 at a url", "zu lang")


@pytest.mark.parametrize("content", [b"<html>", b"[" * 60_000, b'"text"', b"\xff\xfe", '{"code": "busy"}', False, None])
def test_an_answer_that_is_not_loaded_or_no_json_is_no_body(content: Any) -> None:
    assert only(response=loaded(content)).bodies == ()


@pytest.mark.parametrize(("size", "read_"), [(65_536, True), (65_537, False)])
def test_a_body_is_read_up_to_64_kilobytes(size: int, read_: bool) -> None:
    frame = len(json.dumps({"code": "busy", "more": ""}))
    content = json.dumps({"code": "busy", "more": "m" * (size - frame)}).encode()
    assert len(content) == size
    assert bool(only(response=loaded(content)).bodies) is read_


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (odd("Told"), "told"), (odd(message="Told"), "told"), (odd(body="Told"), "told"),
        *((odd(body={key: "Told"}), "told") for key in ("message", "detail", "error", "error_description", "Message")),
        (odd(body={"metadata": {"raw": "Told"}}), "told"), (odd(body={"error": {"message": "Told"}}), "told"),
        (odd("T" * 5000), "t" * 4096),
    ],
    ids=range(11),
)  # fmt: skip
def test_a_text_is_found_in_each_of_its_places_and_read_for_four_kilobytes(error: BaseException, text: str) -> None:
    (link,) = links(error)
    assert link.texts == (text,)


def test_an_equal_text_is_kept_once() -> None:
    assert only("Told", message="told", body={"message": "more"}).texts == ("told", "more")


def test_arguments_of_a_class_that_has_made_them_something_else_are_not_read() -> None:
    for held in ({"code": "busy"}, "busy", 3):
        (link,) = links(type("Own", (Exception,), {"args": held})())
        assert (link.bodies, link.texts) == ((), ())


# -- names ----------------------------------------------------------------------------------------


def test_of_builtin_classes_only_those_that_tell_of_a_fault_are_named() -> None:
    assert class_names(ValueError()) == ()
    assert class_names(ConnectionResetError()) == ("ConnectionResetError", "ConnectionError")
    assert class_names(TimeoutError()) == ("TimeoutError",)
    assert class_names(UnicodeDecodeError("utf-8", b"", 0, 0, "")) == ("UnicodeDecodeError",)
    assert class_names(odd()) == ("Odd",)


def test_an_attribute_that_is_not_there_is_none() -> None:
    assert read(odd(), "status_code") is None
    assert read(None, "anything") is None


# -- the chain ------------------------------------------------------------------------------------


def chain(*errors: BaseException, by: str = "__cause__") -> BaseException:
    for error, behind in pairwise(errors):
        error.__suppress_context__ = False
        setattr(error, by, behind)
        if by == "__context__":
            error.__suppress_context__ = False
    return errors[0]


def named(error: BaseException) -> list[str]:
    return [type(link.error).__name__ for link in links(error)]


def test_the_chain_ends_at_the_providers_answer() -> None:
    for attrs in ({"status_code": 429}, {"code": "rate_limit_exceeded"}, {"code": "permission_denied"}):
        answer = odd(name="x:Answer", **attrs)
        assert named(chain(odd(), answer, odd(name="x:Behind"))) == ["Odd", "Answer"]
    unknown = odd(name="x:Answer", code="some_code")
    assert named(chain(odd(), unknown, odd(name="x:Behind"))) == ["Odd", "Answer", "Behind"]


def test_the_chain_ends_at_an_answer_that_does_not_fit() -> None:
    for name in ("OutputParserException", "ValidationError"):
        assert named(chain(odd(name=f"x:{name}"), odd(name="x:Behind"))) == [name]
    assert links(odd(name="x:ValidationError"))[0].unfit
    assert not links(odd(name="x:ValidationError", status_code=422))[0].unfit
    assert links(odd(name="x:OutputParserException", status_code=422))[0].unfit
    assert not links(odd())[0].unfit


@pytest.mark.parametrize("by", ["__cause__", "__context__"])
def test_what_was_being_handled_is_not_behind_a_broken_connection(by: str) -> None:
    for name, transport in (("ReadTimeout", True), ("ConnectError", True), ("Odd", False)):
        error = chain(odd(name=f"x:{name}"), odd(name="x:Behind"), by=by)
        assert links(error)[0].transport is transport
        follows = by == "__cause__" or not transport
        assert named(error) == ([name, "Behind"] if follows else [name])


def test_one_name_of_its_classes_says_that_no_answer_came() -> None:
    assert links(build({"classes": ["x:ReadTimeout", "x:TransportError", "builtins:Exception"]}))[0].transport
    assert not links(ValueError())[0].transport


def test_a_broken_connection_further_up_counts_too() -> None:
    broken = chain(odd(name="x:ConnectError"), odd(name="x:Middle"))
    broken.__cause__.__context__ = odd(name="x:Earlier")  # type: ignore[union-attr]  # set by chain
    assert named(broken) == ["ConnectError", "Middle"]


def test_what_was_hidden_on_purpose_is_not_followed() -> None:
    error = odd()
    error.__context__ = odd(name="x:Hidden")
    error.__suppress_context__ = True
    assert named(error) == ["Odd"]


class Refused(Exception):
    """An answer with a status."""

    status_code = 429


def _raised(error: Exception) -> None:
    raise error


def test_what_a_caller_handles_meanwhile_is_another_calls() -> None:
    try:
        raise Refused
    except Refused:
        with pytest.raises(RuntimeError) as caught:
            raise RuntimeError("odd")  # noqa: B904 - it is not raised from the other
        assert len(links(caught.value)) == 1


def test_what_was_handled_within_the_call_is_its_own() -> None:
    def call() -> None:
        try:
            raise Refused
        except Refused:
            _raised(RuntimeError("odd"))

    with pytest.raises(RuntimeError) as caught:
        call()
    assert links(caught.value)[-1].status == 429
