"""A fault as it is written, in one line: what goes wrong, with which models, when and for how long.

outage:openai@30s+60s              the provider refuses connections from second 30, for a minute
errors=0.3:mini@1m+2m,status=503   three in ten calls of one model fail
rate-limit=20s:tag:prod@25%+50%    all models of a tag; times may be shares of the run
slow=x8                            everybody, all the time
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.rehearsal.script.kinds import ALIASES, KINDS, spelt

_TIME = r"\d+(?:\.\d+)?(?:ms|s|m|h|%)"
_LINE = re.compile(
    r"(?P<kind>[\w-]+)(?:=(?P<value>[^:@+,]+)|\((?P<inner>[^)]*)\))?(?::(?P<target>.+?))?"
    rf"(?:@(?P<start>{_TIME}))?(?:\+(?P<length>{_TIME}))?(?P<options>(?:,\s*[\w-]+=[^,]+)*)"
)
_UNITLESS = re.compile(r"(?<=@)\d{1,5}(?:\.\d+)?(?=\+|$)|(?<=\+)\d{1,5}(?:\.\d+)?$")
"""A time without a unit has come to stand in the target; longer numbers are versions of models."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_OPTIONS = ("share", "status", "rpm", "retry-after")
_LONGEST = 400
EXAMPLE = "such as outage:openai@30s+60s, errors=0.3:mini or rate-limit=20s:tag:prod@25%+50%"


class ScriptTime(NamedTuple):
    """Seconds, or a share of the run's length."""

    amount: float
    relative: bool = False

    def seconds(self, length_s: float) -> float:
        """In a run of this length."""
        return self.amount * length_s if self.relative else self.amount


AT_ONCE = ScriptTime(0.0)


@dataclass(frozen=True, slots=True)
class FaultLine:
    """One line. `target` is still a name ("" = everybody); `value` is what KINDS says; no `length` = until the end.

    `share`: of the calls it is about, those it strikes. `status`: of `errors`. `rpm`: of `rate-limit`, the calls a
    minute that still pass.
    """

    text: str
    kind: str
    value: float
    target: str = ""
    start: ScriptTime = AT_ONCE
    length: ScriptTime | None = None
    share: float = 1.0
    status: int = 500
    rpm: int | None = None

    def aimed(self, target: str) -> FaultLine:
        """The same fault at another target."""
        tail = f"@{self.text.partition('@')[2]}" if "@" in self.text else ""
        head = self.text.partition("@")[0]
        return FaultLine(
            f"{head}:{target}{tail}", self.kind, self.value, target, self.start, self.length, self.share, self.status,
            self.rpm,
        )  # fmt: skip

    @property
    def ends_s(self) -> float:
        """When it is over, as far as that is written in seconds; 0.0 = it isn't."""
        start = 0.0 if self.start.relative else self.start.amount
        return start if self.length is None or self.length.relative else start + self.length.amount


def read_lines(path: str | Path) -> list[FaultLine]:
    """Those in a file, one a line; blank lines and what follows a # are left out. ConfigError names the line."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ConfigError(f"cannot read the fault script {str(path)!r}: {why}") from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        written = re.sub(r"(^|\s)#.*", "", line).strip()
        try:
            found += [parse_line(written)] if written else []
        except ConfigError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from None
    if not found:
        raise ConfigError(f"{path}: no fault in it; write one a line, {EXAMPLE}")
    return found


def parse_line(source: str) -> FaultLine:
    """One fault, `kind[=value][:target][@start][+duration][,option=value]`; ConfigError says what can't be read."""
    text = source.strip()
    found = _LINE.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise ConfigError(
            f"faults: cannot read {text[:80]!r}; write kind[=value][:target][@start][+duration][,option=value], "
            f"{EXAMPLE}. Times have a unit: 500ms, 30s, 2m, 1h, or 25% of the run"
        )
    if unitless := _UNITLESS.search(found["target"] or ""):
        raise ConfigError(f"faults: {text!r}: {unitless[0]!r} has no unit; write 30s, 2m, 500ms, 1h or 25%")
    kind, status = _kind(found["kind"], text)
    options = _options(found["options"], text)
    status = int(_number(options["status"], "status", text, 400, 599)) if "status" in options else status
    value = _value(kind, found["value"] or found["inner"] or options.get("retry-after"), text)
    share = _number(options["share"], "share", text, 0, 1) if "share" in options else 1.0
    share = share * value if KINDS[kind].value == "share" else share
    rpm = int(_number(options["rpm"], "rpm", text, 0, 1e9)) if "rpm" in options else None
    _belongs(kind, options, text)
    start, length = found["start"], found["length"]
    return FaultLine(
        text, kind, value, (found["target"] or "").strip(), _moment(start) if start else ScriptTime(0.0),
        _moment(length) if length else None, share, status, rpm,
    )  # fmt: skip


def _kind(word: str, text: str) -> tuple[str, int]:
    name = word.lower().replace("_", "-")
    if name.isdigit() and 500 <= int(name) <= 599:
        return "errors", int(name)
    name = ALIASES.get(name, name)
    if name not in KINDS:
        known = f"; known: {spelt()}, or a status from 500 to 599"
        raise ConfigError(f"faults: {text!r}: unknown kind {word!r}{nearest(name, [*KINDS, *ALIASES], known)}")
    return name, 500


def _options(written: str, text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in written.split(",") if part.strip())
    found = {name.lower().replace("_", "-"): value.strip() for name, _, value in pairs}
    for name in found:
        if name not in _OPTIONS:
            raise ConfigError(f"faults: {text!r}: unknown option {name!r}{nearest(name, _OPTIONS)}")
    return found


def _belongs(kind: str, options: dict[str, str], text: str) -> None:
    owners = {"status": "errors", "rpm": "rate-limit", "retry-after": "rate-limit"}
    for name in options:
        if owners.get(name, kind) != kind:
            raise ConfigError(f"faults: {text!r}: {name} belongs to {owners[name]}, not to {kind}")


def _value(kind: str, written: str | None, text: str) -> float:
    meaning, usual = KINDS[kind].value, KINDS[kind].usual
    if written is None:
        return usual or 0.0
    if not meaning:
        raise ConfigError(f"faults: {text!r}: {kind} takes no value ({KINDS[kind].words})")
    word = written.strip().lower()
    if meaning == "time":
        return _seconds(word if word[-1:].isalpha() else f"{word}s", text)
    if meaning == "share":
        return _number(word.removesuffix("%"), "share", text, 0, 100) / 100 if "%" in word else _number(
            word, "share", text, 0, 1
        )  # fmt: skip
    if meaning == "factor":
        return _number(word.strip("x×"), "factor", text, 0, 1e4)
    return _number(word.replace("_", ""), meaning, text, 0, 1e9)


def _number(written: str, name: str, text: str, least: float, most: float) -> float:
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise ConfigError(f"faults: {text!r}: {name} must be a number from {least:g} to {most:g}, got {written!r}")
    return value


def _seconds(word: str, text: str) -> float:
    if not re.fullmatch(_TIME, word) or word.endswith("%"):
        raise ConfigError(f"faults: {text!r}: {word!r} is no time; write 500ms, 30s, 2m or 1h")
    return _moment(word).amount


def _moment(word: str) -> ScriptTime:
    unit = next(unit for unit in ("ms", "s", "m", "h", "%") if word.endswith(unit))
    amount = float(word.removesuffix(unit))
    return ScriptTime(amount / 100, True) if unit == "%" else ScriptTime(amount * _UNITS[unit])
