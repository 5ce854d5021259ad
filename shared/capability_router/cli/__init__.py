"""The command line. What the installed script runs is there without the extra `cli` too, and says so then."""

from __future__ import annotations


def run() -> None:
    """The command `capability-router`, or in a line what it needs."""
    try:
        from capability_router.cli.main import main
        from capability_router.cli.output_encoding import replace_unencodable
    except ImportError as missing:
        raise SystemExit(f"Error: {missing}") from missing
    replace_unencodable()
    main()
