"""What the router learns about models from outcomes."""
