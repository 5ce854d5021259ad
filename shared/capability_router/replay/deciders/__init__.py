"""The deciders of a replay: another policy, or another configuration, and the data they decide by."""
