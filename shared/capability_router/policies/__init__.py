"""How eligible models are ranked."""
