"""What went wrong, told by its shape, and what follows from it."""

from capability_router.faults.classify import classify
from capability_router.faults.completeness import judge
from capability_router.faults.kinds import KINDS, Fault, FaultKind
from capability_router.faults.passing import is_programming_error, passes_through

__all__ = ["KINDS", "Fault", "FaultKind", "classify", "is_programming_error", "judge", "passes_through"]
