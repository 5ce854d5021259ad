"""What requests look like, and where they are from: made up, or a decision log."""
