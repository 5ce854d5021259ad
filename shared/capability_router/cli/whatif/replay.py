"""`capability-router replay LOG... --policy other.yaml`: the logged requests, decided again under another policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capability_router.cli.files import FILE, LogFile
from capability_router.cli.log_silencer import silence
from capability_router.cli.progress import progress
from capability_router.errors import ConfigError

if TYPE_CHECKING:
    from capability_router.replay.findings import Findings
    from capability_router.replay.log.replay_log import ReplayLog
    from capability_router.replay.replay_setup import Predict, ReplaySetup


@click.command()
@click.argument("logs", nargs=-1, required=True, type=LogFile())
@click.option(
    "--policy", required=True, metavar="FILE|NAME",
    help="Another router.yaml; or a policy's name, for the models that the log saw or those of --config.",
)  # fmt: skip
@click.option("--config", type=FILE, help="A router.yaml whose models are taken where --policy is a name.")
@click.option(
    "--predict", type=click.Choice(("log", "config")),
    help="Whose predicted quality counts: what the log predicted then, or what the configuration's cards and learned "
    "state say. Left out: config if it names a learned state, else log.",
)  # fmt: skip
@click.option("--since", help="Only what ended from then on: an age (90m, 24h, 7d) or an ISO date, UTC.")
@click.option("--limit", type=click.IntRange(1), help="Only the newest so many decisions.")
@click.option("--examples", type=click.IntRange(0, 3), default=1, show_default=True, help="Requests told of each move.")
@click.option("--json", "as_json", is_flag=True, help="All figures, for a program.")
def replay(
    logs: tuple[Path, ...], policy: str, config: Path | None, predict: Predict | None, since: str | None,
    limit: int | None, examples: int, as_json: bool,
) -> None:  # fmt: skip
    """Decide the requests of a log again under another policy.

    LOGS are JSONL decision logs, rotated and gzipped ones too. Tells which requests would change their model, what
    that would do to cost, latency, predicted quality and refusals, and, where the log explored by chance and
    answers have scores, what the new choices' answers are worth. Nothing is sent, and no text of a prompt is
    needed. "-" is standard input.
    """
    from capability_router.cli.whatif import replay_view

    with silence():
        found = _found(logs, _opened(policy, config, predict), since, limit)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        replay_view.tell(found, examples)


def _opened(policy: str, config: Path | None, predict: Predict | None) -> ReplaySetup:
    from capability_router.replay.replay_setup import opened

    return opened(policy, config, predict)


def _found(logs: tuple[Path, ...], other: ReplaySetup, since: str | None, limit: int | None) -> Findings:
    from capability_router.replay.deciders.token_lessons import TokenLessons
    from capability_router.replay.findings import found
    from capability_router.replay.log.latencies import Latencies
    from capability_router.replay.replaying import replayed

    log = _read(logs, since, limit, traits=other.state is not None)
    if not log.decisions:
        left = "".join(f"\n  {count:,} × {reason}" for reason, count in log.omissions)
        raise ConfigError(f"no decision to replay in {', '.join(map(str, logs))}{'; left out:' if left else ''}{left}")
    latencies = Latencies(attempt for each in log.decisions for attempt in each.attempts)
    lessons = TokenLessons(log.decisions)
    decider = other.decider(lessons, latencies)
    with progress(len(log.decisions), "deciding again") as tick:
        again = replayed(log, decider, lessons, latencies, tick)
    return found(again, log, decider, latencies, [*other.told, *decider.told()])


def _read(logs: tuple[Path, ...], since: str | None, limit: int | None, *, traits: bool) -> ReplayLog:
    from capability_router.clock import SystemClock
    from capability_router.decision_log.file_order import files_of, size_of
    from capability_router.money.ledger.time_steps import unix_of
    from capability_router.replay.log.replay_log import read

    files = files_of(logs)
    begin = unix_of("since", since, SystemClock().unix())
    with progress(size_of(files), "reading       ") as tick:
        return read(files, since=begin, limit=limit, traits=traits, tick=tick)
