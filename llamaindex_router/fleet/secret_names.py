"""The names of fields, keywords and headers whose values are secrets."""

from __future__ import annotations

import re

SECRET = re.compile(
    r"(^|[-_])key$|apikey$|secret|passw|credential|authorization|(^|[-_])auth$|bearer|headers$|cookie|(^|[-_])token$",
    re.I,
)
