"""The side that decides logged requests again: another policy, or another configuration, and what it knows."""
