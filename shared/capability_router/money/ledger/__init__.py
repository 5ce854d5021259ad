"""The ledger: what every launch cost and who pays, booked once, read in totals, series and exports."""

from capability_router.money.ledger.call import Call, CostAttribution, LaunchKey
from capability_router.money.ledger.ledger import Ledger
from capability_router.money.ledger.total import Total, Totals

__all__ = ["Call", "CostAttribution", "LaunchKey", "Ledger", "Total", "Totals"]
