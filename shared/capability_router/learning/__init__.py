"""What outcomes teach about the models."""
