"""Readers of other people's lists of models: each turns one format into card fields, as statements of that source."""
