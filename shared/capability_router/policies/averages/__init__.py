"""Averages that a policy keeps: cost per request, latency per request, and the pace at which caps are spent."""
