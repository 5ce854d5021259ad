"""Replays decision logs: what another policy, or other models, would have decided for the same requests."""
