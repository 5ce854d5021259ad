"""The models that make a router's calls: from an entry of `models=` to a model that is ready to be called."""
