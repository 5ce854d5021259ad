"""Threads, event loops and processes: locks, wakeups, loop lag, and what is done before a process ends."""
