"""capability-router for LlamaIndex."""
