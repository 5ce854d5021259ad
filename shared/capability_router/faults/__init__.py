"""What went wrong, told by its shape, and what follows from it."""
