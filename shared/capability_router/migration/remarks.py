"""Remarks on LiteLLM's settings that have no counterpart here: why, and what to do instead."""

from __future__ import annotations

Remark = tuple[str, str]
_SERVER: Remark = ("it sets up LiteLLM's server; this is a library in your process", "")
_KEYS: Remark = ("keys, teams and users of LiteLLM's server have no counterpart", "name who asks: routing(tenant=...)")
_CACHE: Remark = ("answers are not cached by the router", "set LangChain's cache (set_llm_cache), which works above it")
_ENTITY: Remark = (
    "limits per key, user or team are kept by LiteLLM's server",
    "cap the money of each tenant: budgets: [{scope: 'tenant:*', limit_usd: ..., window: ...}]",
)
_FAULTS: Remark = ("what follows from each fault is one table here", "read docs/faults.md; `retry` sets how often")
_TABLE: Remark = ("when a model is left alone is decided by `health` for all faults alike", "see docs/reliability.md")
AUTO: Remark = (
    "LiteLLM's routers by content are not carried over",
    "policy: adaptive chooses by what a request needs and what models cost (docs/policies.md)",
)
_CONSTRUCTOR: Remark = ("what every call sends is set in code here", "give it to the constructor: ChatRouter(...)")
_GUARD: Remark = ("guardrails are no part of the router", "put them before it, in your chain")
_LOG: Remark = ("loggers of LiteLLM are not called", "telemetry: {jsonl: ..., otel: true} (docs/tracing.md)")

OTHER_MODES = frozenset({
    "embedding", "image_generation", "image_edit", "audio_transcription", "audio_speech", "moderation", "moderations",
    "rerank", "batch", "realtime", "ocr", "video_generation", "search", "vector_store", "completion", "evals",
})  # fmt: skip
"""Values of model_info.mode other than chat."""

CALL_WORDS = frozenset({
    "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "stop", "seed", "frequency_penalty",
    "presence_penalty", "logit_bias", "n", "response_format", "tools", "tool_choice", "thinking", "reasoning_effort",
    "extra_body", "user", "metadata", "stream", "service_tier", "parallel_tool_calls", "logprobs", "safety_settings",
    "modalities",
})  # fmt: skip

DEPLOYMENT: dict[str, Remark] = {
    "max_retries": ("the router is the only one that retries", "set retry: {per_target: ...} for all models"),
    "num_retries": ("retries are counted per request here, not per deployment", "set retry: {attempts, per_target}"),
    "cooldown_time": ("how long a model is left alone is the same for all", "set health: {open_s: ...}"),
    "drop_params": ("each model's client sends what it is given", "leave out what a model does not take"),
    "additional_drop_params": ("each model's client sends what it is given", "leave out what a model does not take"),
    "itpm": ("only all tokens of a minute are counted", "set limits: {tpm: ...}"),
    "otpm": ("only all tokens of a minute are counted", "set limits: {tpm: ...}"),
    "mock_response": ("no answers are made up here", "for tests: capability_router.testing, or `simulate`"),
    "tag_regex": ("no header of a request is looked at", "set require_tags in code, where the header is known"),
    "timeout_by_service_tier": ("time limits know no service tiers", "set `timeouts`"),
    "stream_timeout_by_service_tier": ("time limits know no service tiers", "set `timeouts`"),
    "allowed_model_region": ("regions are asked for by each request", "routing(data={'regions': ['eu']})"),
    "vertex_project": ("read from its variable here", "set GOOGLE_CLOUD_PROJECT"),
    "vertex_credentials": ("read from its variable here", "set GOOGLE_APPLICATION_CREDENTIALS"),
    "aws_access_key_id": ("read from AWS' own variables here", "set AWS_ACCESS_KEY_ID"),
    "aws_secret_access_key": ("read from AWS' own variables here", "set AWS_SECRET_ACCESS_KEY"),
    "aws_session_token": ("read from AWS' own variables here", "set AWS_SESSION_TOKEN"),
    "aws_profile_name": ("read from AWS' own variables here", "set AWS_PROFILE"),
    "aws_role_name": ("roles are taken up by AWS' own configuration", "set AWS_ROLE_ARN or a profile"),
    "configurable_clientside_auth_params": _KEYS,
    "silent_model": ("copies of the traffic for another model need a budget", "shadow: {..., execute, budget_usd}"),
    "auto_router_config": AUTO, "auto_router_config_path": AUTO, "auto_router_default_model": AUTO,
    "auto_router_embedding_model": AUTO, "complexity_router_config": AUTO, "complexity_router_default_model": AUTO,
    "adaptive_router_config": AUTO, "adaptive_router_default_model": AUTO, "quality_router_config": AUTO,
    "quality_router_default_model": AUTO,
    "tenant_id": ("a file holds no token provider", "give the model's object in code"),
    "client_id": ("a file holds no token provider", "give the model's object in code"),
    "azure_scope": ("a file holds no token provider", "give the model's object in code"),
    "cache_control_injection_points": ("prompts are sent as they are", "mark what is to be cached in the messages"),
    "guardrails": _GUARD,
}  # fmt: skip
"""Key of litellm_params -> remark."""

MODEL_INFO: dict[str, Remark] = {
    "access_groups": ("groups of keys that may use it have no counterpart", "allow tenants: tenants: [NAME, ...]"),
    "team_public_model_name": _KEYS,
    "access_windows": ("a model is in use at all hours", ""),
    "cooldown_time": DEPLOYMENT["cooldown_time"],
    "allowed_fails": _TABLE,
    "allowed_fails_policy": _TABLE,
    "health_check_model": ("probes ask the model itself", "health: {probe: true}"),
    "enable_tag_filtering": ("tags filter for all groups or for none", "set it in router_settings, and import again"),
    "supports_prompt_caching": ("the catalog says what a cached token costs", "price: {cache_read_mtok: USD}"),
    "ptu_count": ("capacity that is paid by the hour has no price per call", "give it a price of 0"),
    "cost_per_ptu_per_hour": ("capacity that is paid by the hour has no price per call", "give it a price of 0"),
}

ROUTER: dict[str, Remark] = {
    "retry_policy": _FAULTS, "model_group_retry_policy": _FAULTS,
    "allowed_fails_policy": _TABLE,
    "disable_cooldowns": ("models that fail are always left alone for a while", "soften `health`"),
    "routing_strategy_args": ("the strategies' own numbers have no counterpart", ""),
    "default_litellm_params": _CONSTRUCTOR,
    "cache_responses": _CACHE, "cache_kwargs": _CACHE, "caching_groups": _CACHE,
    "optional_pre_call_checks": (
        "conversations stay with their model by themselves where a provider caches or tools are under way",
        "for one conversation: routing(session=...) (docs/policies.md)",
    ),
    "deployment_affinity_ttl_seconds": ("how long a conversation leans to its model is fixed", ""),
    "model_group_affinity_config": ("conversations lean to their model by themselves", "routing(session=...)"),
    "tag_routing_prefix": ("tags are not taken apart", "name tags as they are in the file"),
    "plugins": ("plugins of LiteLLM's router are not called", "policy: {name: rules, ...}, or routing(...) in code"),
    "alerting_config": ("alerts are not sent", "router.on_health(...), router.on_budget(...), or OpenTelemetry"),
    "enable_health_check_routing": ("models are not asked in the background", "health: {probe: true} asks failed ones"),
    "health_check_staleness_threshold": ("models are not asked in the background", ""),
    "health_check_ignore_transient_errors": ("models are not asked in the background", ""),
    "background_health_check_model_groups": ("models are not asked in the background", ""),
    "assistants_config": ("the Assistants API is not routed", ""),
    "search_tools": ("search tools are not routed", ""),
    "guardrail_list": _GUARD,
    "polling_interval": ("who waits for a model is told at once", "retry: {max_wait_s, max_waiting}"),
    "default_priority": ("a request says its priority itself", "routing(priority='batch')"),
    "router_general_settings": ("it belongs to LiteLLM alone", ""),
    "client_ttl": ("connections are kept by the clients themselves", ""),
    "debug_level": ("Python's logging decides", "logging.getLogger('capability_router')"),
    "set_verbose": ("Python's logging decides", "logging.getLogger('capability_router')"),
    "ignore_invalid_deployments": ("what can't be used is told by `capability-router check`", ""),
    "auto_router_capability_limit": AUTO,
    "fallback_access_check": _KEYS, "fallback_budget_check": _KEYS,
}  # fmt: skip
"""Key of router_settings, or a keyword of litellm.Router -> remark."""

SILENT = frozenset({"enable_pre_call_checks", "enable_weighted_failover", "tag_filtering_match_any"})
"""Router settings that apply here in any case, or are read together with others."""

LIBRARY: dict[str, Remark] = {
    "drop_params": DEPLOYMENT["drop_params"], "modify_params": ("prompts are sent as they are", ""),
    "cache": _CACHE, "cache_params": _CACHE, "enable_caching_on_provider_specific_optional_params": _CACHE,
    "success_callback": _LOG, "failure_callback": _LOG, "callbacks": _LOG, "service_callback": _LOG,
    "service_callbacks": _LOG, "audit_log_callbacks": _LOG, "callback_settings": _LOG, "langfuse_default_tags": _LOG,
    "datadog_params": _LOG, "s3_callback_params": _LOG, "gcs_pub_sub_use_v1": _LOG, "otel": _LOG,
    "turn_off_message_logging": ("no text is recorded unless `telemetry: {capture_content: true}`", ""),
    "redact_messages_in_exceptions": ("errors hold no prompts here", ""),
    "redact_user_api_key_info": ("errors and records hold no keys here", ""),
    "set_verbose": ROUTER["set_verbose"], "json_logs": ROUTER["set_verbose"],
    "suppress_debug_info": ROUTER["set_verbose"],
    "max_internal_user_budget": _ENTITY, "internal_user_budget_duration": _ENTITY, "max_end_user_budget": _ENTITY,
    "max_end_user_budget_id": _ENTITY, "default_internal_user_params": _ENTITY, "default_team_params": _ENTITY,
    "default_team_settings": _ENTITY, "max_user_budget": _ENTITY, "upperbound_key_generate_params": _ENTITY,
    "default_key_generate_params": _ENTITY, "default_max_internal_user_budget": _ENTITY, "budget_rollover": _ENTITY,
    "priority_reservation": ("limits of a model are shared by all", "routing(priority='batch') waits for the others"),
    "priority_reservation_settings": ("limits of a model are shared by all", "routing(priority='batch')"),
    "guardrails": _GUARD, "post_call_rules": _GUARD,
    "model_group_settings": ("headers of clients are not handed on", ""),
    "ssl_verify": ("certificates are checked", "SSL_CERT_FILE names the file of those that are trusted"),
    "ssl_certificate": ("certificates of clients are set in code", "give the model's own object"),
    "force_ipv4": ("the system decides", ""),
    "custom_provider_map": ("providers written for LiteLLM are not called", "give a chat model of your own in code"),
    "model_alias_map": ("LiteLLM's own names for models", "write the names in `models`"),
    "num_retries_per_request": ("retries are counted per request here", "set retry: {attempts: ...}"),
    "retry_policy": _FAULTS,
    "default_redis_batch_cache_expiry": _CACHE, "request_timeout_by_service_tier": ("time limits know no tiers", ""),
    "public_model_groups": _SERVER, "public_model_groups_links": _SERVER,
    "cost_discount_config": ("a price is what a token costs you", "write the discounted price on the model's entry"),
    "cost_margin_config": ("a price is what a token costs you", "write it on the model's entry"),
    "block_requests_for_models_without_pricing": (
        "a model without a price is refused wherever a cap or max_cost_usd holds", "",
    ),
}  # fmt: skip
"""Key of litellm_settings -> remark."""

SERVER: dict[str, Remark] = {
    "max_parallel_requests": ("a limit of the whole server", "set limits: {concurrency: ...} per model"),
    "global_max_parallel_requests": ("a limit of the whole server", "set limits: {concurrency: ...} per model"),
    "background_health_checks": ROUTER["enable_health_check_routing"],
    "health_check_interval": ROUTER["health_check_staleness_threshold"],
    "alerting": ROUTER["alerting_config"], "alerting_threshold": ROUTER["alerting_config"],
    "alert_types": ROUTER["alerting_config"], "alert_to_webhook_url": ROUTER["alerting_config"],
    "alerting_args": ROUTER["alerting_config"],
    "master_key": ("the server's own key; nobody logs in here", ""),
    "database_url": ("no database is needed", "spending is kept by `store: sqlite:///router.db` or Redis"),
    "store_prompts_in_spend_logs": ("records hold no text", "telemetry: {capture_content: true}"),
    "pass_through_endpoints": ("only chat is routed", ""),
}  # fmt: skip
"""Key of general_settings -> remark."""
UNKNOWN_SERVER: Remark = _SERVER

BLOCKS: dict[str, Remark] = {
    "guardrails": _GUARD, "prompts": ("prompts are made by your application", ""),
    "mcp_servers": ("tools are bound by your application", ""),
    "mcp_tools": ("tools are bound by your application", ""),
    "vector_store_registry": ("only chat is routed", ""), "files_settings": ("only chat is routed", ""),
    "finetune_settings": ("only chat is routed", ""), "assistant_settings": ("only chat is routed", ""),
    "search_tools": ("only chat is routed", ""), "default_vertex_config": ("only chat is routed", ""),
    "callback_settings": _LOG, "agents": ("only chat is routed", ""), "agent_list": ("only chat is routed", ""),
    "sandbox_tools": ("tools are bound by your application", ""),
    "litellm_params": ("parameters stand within a deployment", "move them into its litellm_params"),
}  # fmt: skip
"""Other top-level blocks -> remark."""
