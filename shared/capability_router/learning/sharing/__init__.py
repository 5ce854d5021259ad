"""What several processes learn together, through a store."""
