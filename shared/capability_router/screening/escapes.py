"""Undoes the escapes of JSON and Python: tool calls' arguments, and many results, are such text."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"(?<!\\)\\++(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrtbf/]))")


def unescaped(text: str) -> str:
    r"""The text with escapes replaced. In `\n` and the like the backslash stays: in `CORP\name` it is no line end."""
    return _ESCAPE.sub(_meant, text) if "\\" in text else text


def _meant(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    return chr(int(code, 16)) if code else "/" if escape[3] == "/" else "\\"
