"""The ledger: what every launch cost and who pays, booked once, read in totals, series and exports."""
