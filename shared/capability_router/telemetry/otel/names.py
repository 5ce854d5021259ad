"""The names of OpenTelemetry's GenAI conventions.

They are those of the semantic conventions 1.41.1, the last release that contains them (status: Development). Later
releases mark the GenAI part as deprecated, because it moved to its own repository, which has no release yet
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
"""Not one of OpenTelemetry's names. Phoenix, Langfuse and MLflow recognise by it a span that is no model call."""
USAGE_COST, LLM_COST, MLFLOW_COST = "gen_ai.usage.cost", "llm.cost.total", "mlflow.llm.cost"
"""USD of one call, for which OpenTelemetry has no name: Langfuse's and others', OpenInference's, MLflow's (JSON).

Without it these backends compute the cost from their own price lists.
"""

OWN = "capability_router"
"""The prefix of every name that is in no convention."""
REQUESTS, COST, BREAKER, BUDGET = f"{OWN}.requests", f"{OWN}.cost", f"{OWN}.breaker.state", f"{OWN}.budget.left"
DROPPED = f"{OWN}.records.dropped"

_PROVIDERS = {
    "google": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai", "bedrock": "aws.bedrock",
    "azure": "azure.ai.openai", "moonshot": "moonshot_ai", "watsonx": "ibm.watsonx.ai",
}  # fmt: skip


def provider_name(provider: str, folded: str) -> str:
    """The conventions' name of a provider; without one the router's. `folded`: its canonical name in the router."""
    told = provider.lower()
    if folded == "google" and "vertex" in told:
        return "gcp.vertex_ai"
    if folded == "azure" and any(word in told for word in ("inference", "foundry")):
        return "azure.ai.inference"
    return _PROVIDERS.get(folded, folded) or UNKNOWN
