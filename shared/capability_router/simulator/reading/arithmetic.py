"""Sums in a question: found, and worked out without `eval`."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

_WORDS = (
    (re.compile(r"\b(?:multiplied by|times)\b|(?<=\d)\s*[x×]\s*(?=\d)", re.I), "*"),
    (re.compile(r"\bdivided by\b|÷", re.I), "/"),
    (re.compile(r"\bplus\b", re.I), "+"),
    (re.compile(r"\bminus\b|−", re.I), "-"),
    (re.compile(r"\bto the power of\b|\^", re.I), "**"),
    (re.compile(r"(?<=\d)\s*(?:%|percent) of\b", re.I), " / 100 *"),
)
_VERBS = (
    (re.compile(r"\b(?:add|sum of|sum)\s+(-?\d[\d.]*)\s*(?:,|and|to|with)\s*(-?\d[\d.]*)", re.I), r"\1 + \2"),
    (re.compile(r"\b(?:multiply|product of)\s+(-?\d[\d.]*)\s*(?:,|and|by|with)\s*(-?\d[\d.]*)", re.I), r"\1 * \2"),
    (re.compile(r"\bdivide\s+(-?\d[\d.]*)\s+by\s+(-?\d[\d.]*)", re.I), r"\1 / \2"),
    (re.compile(r"\bsubtract\s+(-?\d[\d.]*)\s+from\s+(-?\d[\d.]*)", re.I), r"\2 - \1"),
)
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d+(?:\.\d+){2,}\b")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_SUM = re.compile(r"[-(]{0,3}\d[\d.\s()+*/-]{0,200}")
_OPERATOR = re.compile(r"\d[\s)]*[-+*/]")
_OPS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_LIMIT = 1e15


def expression(text: str) -> str | None:
    """The longest sum in the text as a Python expression, such as "17*23"; None when there is none."""
    text = _THOUSANDS.sub("", _DATE.sub(" ", text[-2_000:]))
    for pattern, sign in (*_VERBS, *_WORDS):
        text = pattern.sub(sign, text)
    found = [m.group().rstrip(" +-*/.(\n") for m in _SUM.finditer(text)]
    sums = [_balanced(s.strip()) for s in found if _OPERATOR.search(s)]
    return max((s for s in sums if value(s) is not None), key=len, default=None)


def _balanced(text: str) -> str:
    while text.endswith(")") and text.count(")") > text.count("("):
        text = text[:-1].rstrip()
    return text


def value(text: str) -> float | int | None:
    """The value of an expression of numbers, + - * / ** and brackets; None for anything else."""
    try:
        result = _work_out(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, TypeError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        return None
    return result if isinstance(result, int) or math.isfinite(result) else None


def _work_out(node: ast.expr) -> float | int:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_work_out(node.operand)
    if not isinstance(node, ast.BinOp):
        raise ValueError("not a sum")
    left, right = _work_out(node.left), _work_out(node.right)
    if isinstance(node.op, ast.Pow):
        return _power(left, right)
    result: float | int = _OPS[type(node.op)](left, right) if type(node.op) in _OPS else math.nan
    return result


def _power(base: float | int, exponent: float | int) -> float | int:
    if abs(exponent) > 64 or abs(base) > 1e6 or (base < 0 and exponent != int(exponent)):
        raise ValueError("too large a power")
    result: float | int = base**exponent
    if abs(result) > _LIMIT:
        raise ValueError("too large a power")
    return result


def written(number: float | int) -> str:
    """A number as a person writes it: no ".0", at most six decimals."""
    if isinstance(number, int) or (abs(number) < _LIMIT and number == int(number)):
        return str(int(number))
    return f"{number:.6f}".rstrip("0").rstrip(".")
