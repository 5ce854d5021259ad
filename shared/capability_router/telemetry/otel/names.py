"""OpenTelemetry's GenAI names, written by hand.

They are those of the semantic conventions 1.41.1, the last release that holds them; status there: Development. Later
releases call the GenAI part deprecated, because it moved to a repository of its own, which has released nothing yet
(`moonshot_ai` is from there).
"""

from __future__ import annotations

SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.1"
SCOPE = "capability_router"

CHAT = "chat"
UNKNOWN = "unknown"
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL, REQUEST_STREAM = "gen_ai.request.model", "gen_ai.request.stream"
RESPONSE_MODEL, FINISH_REASONS = "gen_ai.response.model", "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS, OUTPUT_TOKENS = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
INPUT_MESSAGES, OUTPUT_MESSAGES = "gen_ai.input.messages", "gen_ai.output.messages"
CONVERSATION = "gen_ai.conversation.id"
WORKFLOW, WORKFLOW_NAME = "invoke_workflow", "gen_ai.workflow.name"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - an attribute's name
ERROR = "error.type"
ADDRESS, PORT = "server.address", "server.port"

DURATION, DURATION_S = "gen_ai.client.operation.duration", tuple(0.01 * 2**n for n in range(14))
"""A metric and its buckets, in seconds."""
TO_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
TOKEN_USAGE, TOKENS = "gen_ai.client.token.usage", tuple(4**n for n in range(14))

KIND, CHAIN = "openinference.span.kind", "CHAIN"
"""No convention of OpenTelemetry's, but what Phoenix, Langfuse and MLflow know a span that is no model's call by."""
USAGE_COST, LLM_COST, MLFLOW_COST = "gen_ai.usage.cost", "llm.cost.total", "mlflow.llm.cost"
"""USD of one call, which OpenTelemetry has no name for: Langfuse's and others', OpenInference's, MLflow's (JSON).

Who finds none there works the cost out from a price list of its own.
"""

OWN = "capability_router"
"""Before every name that is no convention's."""
REQUESTS, COST, BREAKER, BUDGET = f"{OWN}.requests", f"{OWN}.cost", f"{OWN}.breaker.state", f"{OWN}.budget.left"
DROPPED = f"{OWN}.records.dropped"

_PROVIDERS = {
    "google": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai", "bedrock": "aws.bedrock",
    "azure": "azure.ai.openai", "moonshot": "moonshot_ai", "watsonx": "ibm.watsonx.ai",
}  # fmt: skip


def provider_name(provider: str, folded: str) -> str:
    """The conventions' name of a provider; ours where they have none. `folded` is its one name among our own."""
    told = provider.lower()
    if folded == "google" and "vertex" in told:
        return "gcp.vertex_ai"
    if folded == "azure" and any(word in told for word in ("inference", "foundry")):
        return "azure.ai.inference"
    return _PROVIDERS.get(folded, folded) or UNKNOWN
