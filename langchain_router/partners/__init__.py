"""What the router knows of partner packages, one record per class, and of the errors they stumble with."""
