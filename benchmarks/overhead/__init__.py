"""What the router adds to a call: without HTTP, over loopback HTTP, as models and prompts grow, and at import."""
