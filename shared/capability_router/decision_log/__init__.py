"""Decision logs read again: what a line must be, which files a log is made of, what is left out and counted."""
