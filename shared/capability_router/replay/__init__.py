"""What-if over decision logs: what another policy, or other models, would have made of the same requests."""
