"""Which files are changed, and which tests must notice: quick ones that cover the file, the narrowest first."""

from __future__ import annotations

from typing import NamedTuple


class Room(NamedTuple):
    """A file of the core and the tests that watch over it, as pytest takes them."""

    file: str
    tests: tuple[str, ...]

    @property
    def module(self) -> str:
        return "capability_router." + self.file.removesuffix(".py").replace("/", ".")


_STEPS = tuple(f"tests/unit/execution/test_{name}.py" for name in ("transitions", "left_behind", "second_attempts"))
_MACHINE = (
    *_STEPS, "tests/unit/execution/test_outcome_texts.py", "tests/unit/execution/test_elsewhere.py",
    "tests/unit/execution/test_lent.py", "tests/unit/execution/test_wait_allowance.py",
    "tests/unit/execution/test_sent_late.py",
    "tests/property/test_machine_events.py",
    "tests/unit/execution/test_machine.py", "tests/unit/execution/test_wait_queue.py",
    "tests/property/test_execution.py",
)  # fmt: skip
_DRIVERS = (
    "tests/unit/execution/test_hedge.py",
    "tests/unit/execution/test_timeouts.py",
    "tests/unit/execution/test_resume.py",
    "tests/property/test_execution.py",
)
_BREAKER = (
    "tests/unit/health/test_breaker.py", "tests/unit/health/test_board.py", "tests/unit/health/test_board_bans.py",
    "tests/property/test_health_machine.py",
)  # fmt: skip
_CANDIDATE_HEALTH = tuple(
    f"tests/unit/health/test_{name}.py"
    for name in (
        "candidate_health", "board", "board_bans", "transitions_told", "silence_detector", "concurrency_limit",
        "busy_caller",
    )
)  # fmt: skip
_WINDOW = ("tests/unit/health/test_window.py", *_BREAKER)
_CORPUS, _EVIDENCE = "tests/unit/faults/test_corpus.py", "tests/unit/faults/test_evidence.py"
_ODD = "tests/unit/faults/test_unknown_clients.py"
_CLASSIFIER = (
    _CORPUS, "tests/unit/faults/test_error_classification.py", "tests/unit/faults/test_caller_errors.py",
    "tests/unit/faults/test_classify.py", "tests/unit/faults/test_wordings.py",
)  # fmt: skip
_LEDGER = ("tests/unit/money/ledger/test_ledger.py", "tests/unit/money/test_repeated_requests.py")
_ACCOUNT = ("tests/unit/money/test_account.py",)
_BUDGET = (
    "tests/unit/money/budget/test_lent_budgets.py", "tests/unit/money/budget/test_budget.py",
    "tests/unit/money/budget/test_refusing.py", "tests/unit/money/budget/test_remembered_refusals.py",
    "tests/unit/money/budget/test_credentials.py", "tests/unit/money/budget/test_caps_over_time.py",
)  # fmt: skip
_JOURNAL = ("tests/unit/money/ledger/test_journal_steps.py", "tests/unit/money/ledger/test_journal.py")
_PROPERTY = "tests/property/test_money.py"

ROOMS = (
    Room("execution/machine.py", _MACHINE),
    Room(
        "execution/admission.py",
        ("tests/unit/execution/test_lent.py", *_STEPS, "tests/unit/execution/test_learned_limits.py"),
    ),
    Room("execution/wait_allowance.py", ("tests/unit/execution/test_wait_allowance.py",)),
    Room(
        "execution/attempt_in_flight.py",
        ("tests/unit/execution/test_attempt_in_flight.py", "tests/unit/execution/test_sent_late.py", *_STEPS),
    ),
    Room(
        "execution/outcome_texts.py",
        ("tests/unit/execution/test_outcome_texts.py", "tests/unit/execution/test_elsewhere.py", *_STEPS),
    ),
    Room("execution/driving/effect_runner.py", ("tests/unit/execution/driving/test_effect_runner.py", *_DRIVERS)),
    Room(
        "execution/driving/race.py",
        (
            "tests/unit/execution/driving/test_race.py",
            "tests/unit/execution/test_hedge.py",
            "tests/unit/sdks/test_readers.py",
        ),
    ),
    Room("concurrency/thread_pool.py", ("tests/unit/concurrency/test_thread_pool.py",)),
    Room("sdks/readers.py", ("tests/unit/sdks/test_readers.py",)),
    Room(
        "execution/accounts.py", ("tests/unit/execution/test_accounts.py", "tests/unit/money/test_several_answers.py")
    ),
    Room("execution/retry.py", ("tests/unit/execution/test_retry.py",)),
    Room("execution/execution_limits.py", ("tests/unit/execution/test_execution_limits.py", *_STEPS)),
    Room("health/breaker.py", (*_BREAKER, "tests/unit/health/test_silence_detector.py")),
    Room("health/candidate_health.py", (*_CANDIDATE_HEALTH, "tests/property/test_health_machine.py")),
    Room("health/admission_check.py", (*_CANDIDATE_HEALTH, "tests/property/test_health_machine.py")),
    Room("health/degradation.py", ("tests/unit/health/test_degradation.py", *_BREAKER)),
    Room("health/window.py", _WINDOW),
    Room("health/silence_detector.py", ("tests/unit/health/test_silence_detector.py",)),
    Room(
        "health/permit.py",
        ("tests/unit/health/test_permit.py", "tests/unit/health/test_silence_detector.py", *_BREAKER),
    ),
    Room("health/bans.py", ("tests/unit/health/test_bans.py", "tests/unit/health/test_board_bans.py")),
    Room(
        "health/concurrency_limit.py",
        ("tests/unit/health/test_concurrency_limit.py", "tests/unit/health/test_busy_caller.py"),
    ),
    Room(
        "health/latency.py",
        (
            "tests/unit/health/test_latency.py",
            "tests/unit/health/test_silence_detector.py",
            "tests/unit/execution/test_how_long_answers_take.py",
        ),
    ),
    Room("faults/classify.py", (_ODD, _EVIDENCE, *_CLASSIFIER)),
    Room("faults/evidence.py", (_EVIDENCE, _ODD, *_CLASSIFIER)),
    Room("faults/completeness.py", ("tests/unit/faults/test_completeness.py",)),
    Room("money/ledger/ledger.py", _LEDGER),
    Room("money/ledger/journal.py", _JOURNAL),
    Room("money/account.py", _ACCOUNT),
    Room("money/cost_limit.py", _ACCOUNT),
    Room("money/budget/budgets.py", (*_BUDGET, _PROPERTY)),
    Room("money/budget/budget_lease.py", ("tests/unit/money/budget/test_budget_lease.py", *_BUDGET)),
    Room("money/budget/store_sync.py", ("tests/unit/money/budget/test_store_sync.py",)),
    Room(
        "money/price.py",
        ("tests/unit/money/test_rates.py", "tests/unit/money/test_price.py", "tests/unit/money/test_exact_amounts.py"),
    ),
    Room("money/ledger/ledger_reader.py", ("tests/unit/money/ledger/test_reading.py", _PROPERTY)),
    Room("policies/lessons.py", ("tests/unit/policies/test_lessons.py",)),
)
