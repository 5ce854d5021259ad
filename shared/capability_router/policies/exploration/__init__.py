"""Trying a model that may be better than the pick: for whom, how often, for how much money."""
