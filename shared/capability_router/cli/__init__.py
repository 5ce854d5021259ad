"""The command line. What the installed script runs is there without the extra `cli` too, and says so then."""

from __future__ import annotations


def run() -> None:
    """The command `capability-router`, or in a line what it needs."""
    try:
        from capability_router.cli.alphabet import spell_out
        from capability_router.cli.main import main
    except ImportError as missing:
        raise SystemExit(f"Error: {missing}") from missing
    spell_out()
    main()
