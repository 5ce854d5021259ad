"""What the router knows of partner packages: one record per class, and how they fail on a reply."""
