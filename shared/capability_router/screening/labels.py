"""The labels of the built-in detector, without its patterns."""

from __future__ import annotations

PHONE = "pii.phone"
"""Phone numbers: a package finds them (screening/phones.py), the others have patterns (screening/patterns.py)."""
LABELS = (
    "pii.email", "pii.card", "pii.iban", "pii.ssn", PHONE, "secret.private_key", "secret.aws", "secret.anthropic",
    "secret.openai", "secret.google", "secret.github", "secret.gitlab", "secret.slack", "secret.stripe",
    "secret.huggingface", "secret.jwt", "secret.url_password",
)  # fmt: skip
