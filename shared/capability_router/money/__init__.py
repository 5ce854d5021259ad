"""Money: exact prices, a ledger that books every launch once, budgets."""
