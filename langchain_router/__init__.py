"""capability-router for LangChain."""
