"""capability-router: one routing core for LangChain and LlamaIndex."""
