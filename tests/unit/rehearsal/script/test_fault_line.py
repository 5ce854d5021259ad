from __future__ import annotations

from pathlib import Path

import pytest

from capability_router.errors import ConfigError
from capability_router.rehearsal.script.fault_line import ScriptTime, parse_line, read_lines
from capability_router.rehearsal.script.kinds import KINDS
from capability_router.rehearsal.script.presets import PRESETS


@pytest.mark.parametrize(
    ("text", "kind", "value", "target", "start", "length", "share"),
    [
        ("outage:openai@30s+60s", "outage", 0, "openai", ScriptTime(30), ScriptTime(60), 1),
        ("down:openai", "outage", 0, "openai", ScriptTime(0), None, 1),
        ("outage", "outage", 0, "", ScriptTime(0), None, 1),
        ("errors=0.3:openai/gpt-5.4@1m+500ms", "errors", 0.3, "openai/gpt-5.4", ScriptTime(60), ScriptTime(0.5), 0.3),
        ("errors=30%:mini,status=503", "errors", 0.3, "mini", ScriptTime(0), None, 0.3),
        ("429=20s:tag:prod@25%+50%", "rate-limit", 20, "tag:prod", ScriptTime(0.25, True), ScriptTime(0.5, True), 1),
        ("rate_limit:a,retry_after=2m", "rate-limit", 120, "a", ScriptTime(0), None, 1),
        ("slow(x4):house@1h", "slow", 4, "house", ScriptTime(3600), None, 1),
        ("slow=x10,share=0.1", "slow", 10, "", ScriptTime(0), None, 0.1),
        ("overflow=8_000:a", "overflow", 8000, "a", ScriptTime(0), None, 1),
        ("auth:key:OPENAI_API_KEY@5s", "auth", 0, "key:OPENAI_API_KEY", ScriptTime(5), None, 1),
        ("outage:claude@20250101@30s+5s", "outage", 0, "claude@20250101", ScriptTime(30), ScriptTime(5), 1),
        ("outage:claude@20250101", "outage", 0, "claude@20250101", ScriptTime(0), None, 1),
        ("503:a", "errors", 1, "a", ScriptTime(0), None, 1),
    ],
)
def test_a_line_is_read(
    text: str, kind: str, value: float, target: str, start: ScriptTime, length: ScriptTime | None, share: float
) -> None:
    line = parse_line(text)
    assert (line.kind, line.value, line.target, line.start, line.length) == (kind, value, target, start, length)
    assert line.share == pytest.approx(share)


def test_a_status_is_that_of_the_error() -> None:
    assert parse_line("503:a").status == 503
    assert parse_line("errors:a,status=502").status == 502


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("outge:openai", "did you mean 'outage'"),
        ("catastrophe", "known: outage, reset, errors=SHARE"),
        ("", "cannot read"),
        ("outage:openai@30+60", "'30' has no unit"),
        ("outage:openai@30s+60", "'60' has no unit"),
        ("errors=2:a", "share must be a number from 0 to 1"),
        ("errors=nan:a", "share must be a number from 0 to 1"),
        ("outage=3:a", "outage takes no value"),
        ("rate-limit=soon:a", "'soon' is no time"),
        ("outage:a,sahre=0.5", "did you mean 'share'"),
        ("outage:a,status=503", "status belongs to errors"),
        ("errors:a,status=200", "status must be a number from 400 to 599"),
        ("outage:" + "a" * 500, "cannot read"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"faults: ") as raised:
        parse_line(text)
    assert told in str(raised.value)


def test_a_script_has_one_a_line(tmp_path: Path) -> None:
    script = tmp_path / "day.txt"
    script.write_text("# a bad day\n\noutage:openai@30s+60s   # at lunch\nslow=x2\n", encoding="utf-8")
    assert [line.text for line in read_lines(script)] == ["outage:openai@30s+60s", "slow=x2"]
    script.write_text("outage\nslwo=2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"day\.txt, line 2: .*did you mean 'slow'"):
        read_lines(script)
    script.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no fault in it"):
        read_lines(script)
    with pytest.raises(ConfigError, match="cannot read the fault script"):
        read_lines(tmp_path / "none.txt")


def test_the_same_at_somebody_else() -> None:
    aimed = parse_line("errors=0.5@25%+40%,status=503").aimed("mini")
    assert aimed.text == "errors=0.5:mini@25%+40%,status=503"
    assert parse_line(aimed.text) == aimed


def test_the_page_lists_every_kind_and_preset() -> None:
    told = (Path(__file__).parents[4] / "docs" / "rehearse.md").read_text(encoding="utf-8")
    for name in (*KINDS, *PRESETS):
        assert f"`{name}" in told, name
