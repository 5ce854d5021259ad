"""Classifies errors and bad replies as faults, and states what follows from each kind of fault."""

from capability_router.faults.caller_errors import is_programming_error, passes_through
from capability_router.faults.classify import classify
from capability_router.faults.completeness import judge
from capability_router.faults.kinds import KINDS, Fault, FaultKind

__all__ = ["KINDS", "Fault", "FaultKind", "classify", "is_programming_error", "judge", "passes_through"]
