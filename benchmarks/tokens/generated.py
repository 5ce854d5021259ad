"""Texts that no package holds enough of: encoded bytes, numbers, logs, short prompts. One seed each, half a side."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable, Iterator

from benchmarks.tokens.sample import Sample

_WORDS = [
    "account",
    "order",
    "payment",
    "invoice",
    "customer",
    "region",
    "shipment",
    "status",
    "pending",
    "failed",
    "item",
    "total",
    "discount",
    "address",
    "note",
    "server",
    "user",
    "session",
    "login",
    "token",
    "cache",
    "request",
    "response",
    "worker",
    "queue",
    "thread",
    "database",
    "index",
    "table",
    "column",
]
_ASKS = (
    "What is the capital of {}?", "Summarise the following text about {} in two sentences.", "Write a haiku on {}.",
    "Translate '{}' into French.", "Is the sentiment of this review positive or negative? I liked the {} a lot!",
    "hi", "thanks!!", "Explain {} to a five-year-old, step by step.", "Fix this: TypeError: {} is not callable",
    "List 10 ideas for a start-up that sells {}.", "You are a helpful assistant. Answer briefly.",
    "How many {}s are there if each of 12 boxes holds 37?", "ok and now the same for {}",
    "Who invented the {}, and when?",
)  # fmt: skip
_EMOJI = "😀😂🤣😊😍🙏👍🎉🔥💯🚀✨❤️😭🤔👀🙌💪🥳😎🤖📈✅❌⚠️🇩🇪👩‍💻👨‍👩‍👧🌍🍕"
Make = Callable[[random.Random, int], str]


def _bytes(dice: random.Random, size: int) -> str:
    return base64.b64encode(dice.randbytes(size * 3 // 4)).decode()


def _base64_lines(dice: random.Random, size: int) -> str:
    return base64.encodebytes(dice.randbytes(size * 3 // 4)).decode()


def _base64_of_text(dice: random.Random, size: int) -> str:
    return base64.urlsafe_b64encode(" ".join(dice.choices(_WORDS, k=size // 8)).encode()).decode()


def _hex(dice: random.Random, size: int) -> str:
    text = dice.randbytes(size // 2).hex()
    return text.upper() if dice.random() < 0.3 else text


def _hashes(dice: random.Random, size: int) -> str:
    return "\n".join(
        f"{dice.randbytes(20).hex()}  {dice.choice(_WORDS)}.{dice.choice(['py', 'js'])}" for _ in range(size // 55)
    )


def _uuids(dice: random.Random, size: int) -> str:
    return "\n".join(str(uuid.UUID(int=dice.getrandbits(128))) for _ in range(size // 37))


def _digits(dice: random.Random, size: int) -> str:
    return "".join(dice.choices("0123456789", k=size))


def _numbers(dice: random.Random, size: int) -> str:
    rows = (
        ", ".join(f"{dice.gauss(0, 10 ** dice.randint(0, 5)):.{dice.randint(0, 4)}f}" for _ in range(6))
        for _ in range(size // 50)
    )
    return "\n".join(rows)


def _day(dice: random.Random) -> str:
    return f"{dice.randint(2015, 2026)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"


def _time(dice: random.Random) -> str:
    hour, minute, second = dice.randint(0, 23), dice.randint(0, 59), dice.randint(0, 59)
    return f"{_day(dice)}T{hour:02}:{minute:02}:{second:02}.{dice.randint(0, 999):03}Z"


def _records(dice: random.Random, size: int) -> str:
    def row(i: int) -> str:
        paid = dice.choice(["true", "false", ""])
        return f"{i + 1000},{dice.choice(_WORDS)},{_day(dice)},{dice.random() * 900:.2f},{paid}"

    return "id,name,date,amount,paid\n" + "\n".join(map(row, range(size // 36)))


def _json(dice: random.Random, size: int) -> str:
    rows = [
        {"id": dice.randint(1, 10**6), dice.choice(_WORDS): " ".join(dice.choices(_WORDS, k=3)),
         "tags": dice.sample(_WORDS, 2), "score": round(dice.random(), 4), "ok": dice.random() < 0.5, "parent": None}
        for _ in range(size // 120)
    ]  # fmt: skip
    return json.dumps(rows, indent=dice.choice([None, None, 2, 4]), separators=dice.choice([None, (",", ":")]))


def _logs(dice: random.Random, size: int) -> str:
    def line() -> str:
        at, ip = _time(dice), ".".join(str(dice.randint(1, 255)) for _ in range(4))
        word, other = dice.choices(_WORDS, k=2)
        thread, port = dice.randint(1, 64), dice.randint(1024, 65535)
        call = f"GET /api/v1/{word}/{dice.randint(1, 99999)} HTTP/1.1"
        return dice.choice([
            f"{at} INFO  [{word}-{thread}] {word.title()}Handler: {other} took {dice.randint(1, 9999)} ms",
            f'{ip} - - [{at}] "{call}" {dice.choice([200, 404, 500])} {dice.randint(100, 90000)}',
            f"{at} ERROR {word}.{other}: connection to {ip}:{port} failed (0x{dice.getrandbits(32):08x})",
        ])  # fmt: skip

    return "\n".join(line() for _ in range(size // 85))


def _identifiers(dice: random.Random, size: int) -> str:
    def name() -> str:
        parts = dice.choices(_WORDS, k=dice.randint(3, 6))
        styles = (
            "_".join(parts),
            parts[0] + "".join(map(str.title, parts[1:])),
            "".join(map(str.title, parts)),
            "_".join(parts).upper(),
        )
        return dice.choice(styles)

    lines = (f"        self.{name()} = {name()}({name()}={name()}, {name()}=None)" for _ in range(size // 130))
    return "\n".join(lines)


def _indented(dice: random.Random, size: int) -> str:
    rows = (
        f"{' ' * 4 * dice.randint(0, 8)}{dice.choice(['if', 'for', 'while', 'return'])} {dice.choice(_WORDS)}:"
        for _ in range(size // 30)
    )
    return "\n".join(rows)


def _table(dice: random.Random, size: int) -> str:
    rows = (
        f"| {dice.choice(_WORDS):<12} | {dice.randint(0, 99999):>8} | {'-' * dice.randint(3, 20)} |"
        for _ in range(size // 45)
    )
    return "\n".join(rows)


def _urls(dice: random.Random, size: int) -> str:
    def url() -> str:
        site, page = "".join(dice.choices(_WORDS, k=2)), "/".join(dice.choices(_WORDS, k=2))
        word = dice.choice(_WORDS)
        top, query = dice.choice(["com", "org", "io"]), f"q={word}&id={dice.getrandbits(40):x}"
        return f"https://www.{site}.{top}/{page}-{dice.randint(1, 999)}?{query}"

    return "\n".join(url() for _ in range(size // 80))


def _short(dice: random.Random, size: int) -> str:
    return dice.choice(_ASKS).format(dice.choice(_WORDS))


def _chat(dice: random.Random, size: int) -> str:
    rows = (
        f"{dice.choice(_ASKS).format(dice.choice(_WORDS))} {''.join(dice.choices(list(_EMOJI), k=dice.randint(1, 4)))}"
        for _ in range(size // 50)
    )
    return "\n".join(rows)


_MAKE: dict[str, Make] = {
    "base64": _bytes, "base64 lines": _base64_lines, "base64 of text": _base64_of_text, "hex": _hex, "hashes": _hashes,
    "uuids": _uuids, "digits": _digits, "numbers": _numbers, "records": _records, "generated JSON": _json,
    "generated logs": _logs, "long identifiers": _identifiers, "deep indents": _indented, "tables": _table,
    "urls": _urls, "short prompts": _short, "chat with emoji": _chat,
}  # fmt: skip
KINDS = tuple(_MAKE)


def generated(seed: int) -> Iterator[Sample]:
    """Forty samples of every kind; each a source of its own, so that both sides get some."""
    for kind, make in _MAKE.items():
        for i in range(60):
            dice = random.Random(f"{seed} {kind} {i}")
            size = int(160 * 20 ** dice.random())
            yield Sample(kind, f"{kind} {i}", make(dice, size))
