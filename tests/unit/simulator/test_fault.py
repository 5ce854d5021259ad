from __future__ import annotations

import pytest

from capability_router.errors import ConfigError
from capability_router.simulator import ScriptedFault
from capability_router.simulator.fault import KINDS, parse_fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("outage:provider-a@30s+60s", ScriptedFault("outage", "provider-a", from_s=30, for_s=60)),
        ("429:provider-b/model@0s+10s", ScriptedFault("429", "provider-b", "model", from_s=0, for_s=10)),
        ("hang", ScriptedFault("hang")),
        ("529:birch+500ms", ScriptedFault("status", "birch", status=529, for_s=0.5)),
        ("cut:*,share=0.2,after_chunks=3", ScriptedFault("cut", share=0.2, after_chunks=3)),
        ("mid_stream_cut:a@2m", ScriptedFault("cut", "a", from_s=120)),
        ("429:a,retry_after=7,every=3,times=2", ScriptedFault("429", "a", retry_after_s=7, every=3, times=2)),
        ("html:a,status=502", ScriptedFault("html", "a", status=502)),
        ("html:a", ScriptedFault("html", "a", status=200)),
        ("content_filter:a,mode=finish", ScriptedFault("content_filter", "a", mode="finish")),
        ("slow_first_token:a/org/m-1,delay=250ms", ScriptedFault("slow_first_token", "a", "org/m-1", delay_s=0.25)),
    ],
)
def test_short_text(text: str, fault: ScriptedFault) -> None:
    assert parse_fault(text) == fault


def test_mapping() -> None:
    stated = {"kind": "outage", "provider": "a", "from": "30s", "for": 60, "share": "0.5"}
    assert parse_fault(stated) == ScriptedFault("outage", "a", from_s=30, for_s=60, share=0.5)
    assert parse_fault({"kind": 503, "provider": "a"}) == ScriptedFault("status", "a", status=503)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_reads_back(kind: str) -> None:
    assert parse_fault(f"{kind}:a").kind == kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("outag:a", "did you mean 'outage'"),
        ("outage:a@", "cannot read"),
        ("outage:a@ten", "cannot read"),
        ("cut:a,after_chunk=3", "did you mean 'after_chunks'"),
        ("cut:a,after_chunks=x", "not a number"),
        ("cut:a,share=2", "share is 0 to 1"),
        ("cut:a,share=nan", "share must be"),
        ("cut:a,every=0", "every must be 1"),
        ("content_filter:a,mode=odd", "mode is error or finish"),
    ],
)
def test_what_is_wrong_is_told(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_fault(text)


def test_only_a_whole_outage_closes_the_port() -> None:
    assert parse_fault("outage:a@1s+1s").refuses
    assert not parse_fault("outage:a/m").refuses
    assert not parse_fault("outage:a,share=0.5").refuses
    assert not parse_fault("reset:a").refuses
