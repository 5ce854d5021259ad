"""Converts other routers' configurations to a router.yaml, and reports each setting that could not be kept, by line."""
