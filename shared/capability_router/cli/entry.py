"""What the installed script `capability-router` runs: it is there without the extra `cli` too, and says so then."""

from __future__ import annotations


def main() -> None:
    """The command, or in a line what it needs."""
    try:
        from capability_router.cli.main import main as command
    except ImportError as missing:
        raise SystemExit(f"Error: {missing}") from missing
    command()
