"""Threads, event loops and processes: who waits for whom, who was away, and what is done before they end."""
