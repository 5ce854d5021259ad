"""Averages that a policy keeps: what a request costs, or takes, and caps that are to last their windows."""
