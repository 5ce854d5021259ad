"""Logs, tables, dumps, packed data, runs and molecules in forms that `generated` has none of.

What is judged is written by other functions than what is fitted on, but for runs, where only lengths and signs differ.
"""

from __future__ import annotations

import base64
import json
import random
import unicodedata
import zlib
from collections.abc import Callable, Iterator

from benchmarks.tokens.sample import FIT, JUDGE, Sample

Make = Callable[[random.Random, int], str]
_FIT_WORDS = [
    "Bridge", "river", "Engine", "Manager", "load", "start", "stop", "open", "close", "write", "read", "flush", "parse",
    "build", "node", "shard", "lease",
]  # fmt: skip
_WORDS = [
    "harbour", "Ticket", "Parser", "checkout", "replica", "backup", "volume", "mount", "probe", "kernel", "driver",
    "socket", "scale", "retry", "cron",
]  # fmt: skip


def _rows(row: Callable[[random.Random], str], width: int) -> Make:
    return lambda dice, size: "\n".join(row(dice) for _ in range(size // width + 1))


# -- logs -------------------------------------------------------------------------------------------


def _clock(dice: random.Random) -> str:
    return f"{dice.randint(0, 23):02}:{dice.randint(0, 59):02}:{dice.randint(0, 59):02}"


def _syslog(dice: random.Random) -> str:
    month, word = dice.choice(("Jan", "Mar", "Oct")), dice.choice(_FIT_WORDS)
    source = f"host{dice.randint(1, 9)} {word.lower()}[{dice.randint(99, 32_000)}]"
    return f"{month} {dice.randint(1, 28):2} {_clock(dice)} {source}: {word} failed"


def _comma_log(dice: random.Random) -> str:
    one, two = dice.choices(_FIT_WORDS, k=2)
    day = f"2024-0{dice.randint(1, 9)}-1{dice.randint(0, 9)} {_clock(dice)},{dice.randint(0, 999):03}"
    return f"{day} - app.{one} - {dice.choice(('DEBUG', 'INFO', 'WARNING'))} - {two} took {dice.random():.3f}s"


def _klog(dice: random.Random) -> str:
    one, two = dice.choices(_WORDS, k=2)
    at = f"{dice.choice('IWE')}{dice.randint(101, 1231):04} {_clock(dice)}.{dice.randint(0, 10**6):06}"
    place = f"{dice.randint(1, 99_999):7} {one.lower()}_{two.lower()}.go:{dice.randint(1, 999)}"
    return f'{at} {place}] "{one} {two}" pod="kube-system/{two}-{dice.getrandbits(36):x}" err="timed out"'


def _json_log(dice: random.Random) -> str:
    row = {
        "level": dice.choice(("info", "error")), "ts": round(1.7e9 + dice.random() * 1e7, 3),
        "msg": " ".join(dice.choices(_WORDS, k=3)), "trace_id": f"{dice.getrandbits(128):032x}",
        "status": dice.choice((200, 404, 503)), "latency_ms": round(dice.random() * 900, 2),
    }  # fmt: skip
    return json.dumps(row, separators=(",", ":"))


def _stack(dice: random.Random) -> str:
    one, two = (word.title() for word in dice.choices(_WORDS, k=2))
    name = f"{one}{two}Impl"
    method = f"org.{one.lower()}.{two.lower()}.{name}.{two.lower()}{one}"
    return f"\tat {method}({name}.java:{dice.randint(10, 900)})"


def _metric(dice: random.Random) -> str:
    one, two = (word.lower() for word in dice.choices(_WORDS, k=2))
    labels = f'le="{dice.choice((0.1, 0.5, 1))}",method="GET"'
    return f"{one}_{two}_seconds_bucket{{{labels}}} {dice.randint(1, 10**7)} {dice.randint(16 * 10**11, 18 * 10**11)}"


# -- tables -----------------------------------------------------------------------------------------


def _pipes(dice: random.Random) -> str:
    done = dice.choice(("yes", "no", "-"))
    return f"| {dice.choice(_FIT_WORDS)} | {dice.randint(1, 9_999)} | {dice.random():.2%} | {done} |"


def _columns(dice: random.Random) -> str:
    return f"{dice.choice(_FIT_WORDS):<20}{dice.randint(1, 99_999):>12}{dice.random() * 100:>10.2f}"


def _psql(dice: random.Random) -> str:
    day = f"20{dice.randint(10, 26)}-11-{dice.randint(10, 28)}"
    return f" {dice.randint(1, 9_999):>4} | {dice.choice(_WORDS):<16} | {day} | {dice.random() * 1e4:>9.2f}"


def _listing(dice: random.Random) -> str:
    one, two = dice.choices(_WORDS, k=2)
    day, file = f"Nov {dice.randint(1, 28):>2} {_clock(dice)[:5]}", f"{two}_{dice.randint(1, 99)}.tar.gz"
    return f"-rw-r--r--  {dice.randint(1, 3)} {one.lower():8} staff {dice.randint(1, 10**6):>9} {day} {file}"


def _tabs(dice: random.Random) -> str:
    mark = dice.choice(("NA", "+", "-"))
    return "\t".join((dice.choice(_WORDS), str(dice.randint(1, 10**6)), f"{dice.random():.5f}", mark))


# -- dumps and packed data --------------------------------------------------------------------------


def _shown(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def _dump(dice: random.Random) -> str:
    data = dice.randbytes(16)
    return f"{16 * dice.randint(0, 2**20):08x}  {data[:8].hex(' ')}  {data[8:].hex(' ')}  |{_shown(data)}|"


def _array(dice: random.Random) -> str:
    return "  " + " ".join(f"0x{byte:02x}," for byte in dice.randbytes(12))


def _xxd(dice: random.Random) -> str:
    data = dice.randbytes(16)
    return f"{16 * dice.randint(0, 2**20):08x}: {data.hex(' ', 2)}  {_shown(data)}"


def _fingerprint(dice: random.Random) -> str:
    return f"SHA256 Fingerprint={dice.randbytes(32).hex(':').upper()}"


def _pem(dice: random.Random, size: int) -> str:
    body = base64.encodebytes(dice.randbytes(size * 3 // 4)).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


def _token(dice: random.Random) -> str:
    parts = (
        {"alg": "RS256", "kid": f"{dice.getrandbits(64):x}"},
        {"sub": dice.choice(_WORDS), "exp": dice.getrandbits(30)},
    )
    packed = (*(json.dumps(part).encode() for part in parts), dice.randbytes(256))
    return "Bearer " + ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in packed)


def _picture(dice: random.Random, size: int) -> str:
    packed = zlib.compress(" ".join(dice.choices(_WORDS, k=size // 3)).encode())
    return f'<img src="data:image/png;base64,iVBORw0KGgo{base64.b64encode(packed).decode()}">'


# -- runs -------------------------------------------------------------------------------------------


def _runs(signs: str, words: list[str]) -> Make:
    def make(dice: random.Random, size: int) -> str:
        sign, longest = dice.choice(signs), dice.choice((20, 90, 700))
        return "".join(sign * dice.randint(8, longest) + dice.choice(words) for _ in range(size // longest + 1))

    return make


def _again(*words: str) -> Make:
    def make(dice: random.Random, size: int) -> str:
        word = dice.choice(words)
        return word * (size // len(word) + 1)

    return make


# -- molecules --------------------------------------------------------------------------------------

_ATOMS = (
    "C", "C", "CC", "c1ccccc1", "c1ccc(Cl)cc1", "C(=O)", "N", "O", "[C@@H]", "[C@H]", "NC(=O)", "F", "S(=O)(=O)", "CCN",
    "C#N", "c1cnc2ccccc2c1", "(C)", "(O)", "N1CCCC1", "OC", "=C", "[nH]", "Cc1nc(N)sc1", "[N+](=O)[O-]", "C(F)(F)F",
    "/C=C/",
)  # fmt: skip


def _molecule(dice: random.Random) -> str:
    return "".join(dice.choices(_ATOMS, k=dice.randint(4, 18)))


# -- signs of mathematics ---------------------------------------------------------------------------

_MATHS = "∀∃∈∉⊂⊆∪∩∧∨¬⇒⇔→↦∂∇∑∏∫√∞≈≠≤≥±×·∘⊕⊗ℝℕℤℂαβγδελμπσφψωΩΔ⟨⟩²₁₂ⁿ"


def _maths(dice: random.Random) -> str:
    terms = (
        dice.choice(_MATHS) + dice.choice((" ", "x", "(", " n", ") ", " = ", "f")) for _ in range(dice.randint(6, 20))
    )
    return "".join(terms)


# -- emoji ------------------------------------------------------------------------------------------

_EMOJI = [chr(i) for i in range(0x1F300, 0x1FAF0) if unicodedata.category(chr(i)) == "So"] + list("☀☎♠✂✈❤⚡⌛⏰⭐")
_TAILS = ("", "", "", "\ufe0f", "\U0001f3fd", "\u200d♂\ufe0f", "\u200d\U0001f4bb")


def _emoji(dice: random.Random, size: int) -> str:
    between = dice.choice(("", "", " ", "\n"))
    return between.join(dice.choice(_EMOJI) + dice.choice(_TAILS) for _ in range(size // 8))


_MAKE: dict[str, dict[str, tuple[Make, ...]]] = {
    "other logs": {
        FIT: (_rows(_syslog, 60), _rows(_comma_log, 70)),
        JUDGE: (_rows(_klog, 120), _rows(_json_log, 150), _rows(_stack, 70), _rows(_metric, 90)),
    },
    "other tables": {
        FIT: (_rows(_pipes, 35), _rows(_columns, 43)),
        JUDGE: (_rows(_psql, 50), _rows(_listing, 75), _rows(_tabs, 30)),
    },
    "dumps": {FIT: (_rows(_dump, 78), _rows(_array, 75)), JUDGE: (_rows(_xxd, 68), _rows(_fingerprint, 110))},
    "packed data": {FIT: (_pem,), JUDGE: (_rows(_token, 500), _picture)},
    "runs of blanks": {FIT: (_runs(" \n\t", _FIT_WORDS),), JUDGE: (_runs(" \n\t", _WORDS),)},
    "runs of a sign": {FIT: (_runs("aox-=.*#!?_~/0", _FIT_WORDS),), JUDGE: (_runs("aexzAX.-+=!%$<1", _WORDS),)},
    "repetitions": {
        FIT: (_again("ha", "no ", "bla", "0", "the same. ", "🙂", "é"),),
        JUDGE: (_again("ab", "go ", "lol ", "12", "as before, ", "🚀", "ü"),),
    },
    "only emoji": {FIT: (_emoji,)},
    "molecules": {FIT: (_rows(_molecule, 50),)},
    "drawn formulas": {FIT: (_rows(_maths, 30),)},
}
KINDS = tuple(_MAKE)
_EACH = 32


def formats(seed: int) -> Iterator[Sample]:
    """As many samples of each kind and side, of 100 to 3,200 characters."""
    for kind, sides in _MAKE.items():
        for side, makes in sides.items():
            for i in range(_EACH):
                dice = random.Random(f"{seed} {side} {kind} {i}")
                yield Sample(
                    kind, f"{side}{kind} {i}", makes[i % len(makes)](dice, int(100 * 32 ** dice.random()))[:3_200]
                )
