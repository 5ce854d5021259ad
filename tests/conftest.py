"""The tests see the built-in catalog, not one that the person who runs them has updated."""

from __future__ import annotations

import os

os.environ["CAPABILITY_ROUTER_CATALOG"] = "off"
