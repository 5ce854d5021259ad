"""Tables from error codes, class names and HTTP statuses to kinds of fault.

Words are compared in a normal form (`RateLimitError`, `rate_limit_error` and `RATE_LIMIT` are equal), so that one table
serves both the error codes of a body and the class names of an exception.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NOT_WORD = re.compile(r"[^a-z0-9]")
LONGEST_WORD = 64


def normal(word: str) -> str:
    """The word in lower case, letters and digits only, without a final "error" or "exception"; "" if too long."""
    if len(word) > LONGEST_WORD:
        return ""
    bare = _NOT_WORD.sub("", word.lower())
    for tail in ("exception", "error"):
        if bare.endswith(tail) and bare != tail:
            return bare[: -len(tail)]
    return bare


def _kinds(words: Mapping[str, str]) -> dict[str, str]:
    return {normal(word): kind for kind, told in words.items() for word in told.split()}


# Codes more specific than their status (quota with 429, overload with 200, filter with 400).
TELLING = _kinds(
    {
        "rate_limited": """
            rate_limit rate_limited rate_limit_exceeded rate_limit_reached too_many_requests resource_exhausted
            throttling throttled request_throttled request_limit_exceeded slow_down limit_exceeded
            provisioned_throughput_exceeded""",
        "overloaded": """
            overloaded model_overloaded server_overloaded engine_overloaded server_is_overloaded unavailable
            service_unavailable model_not_ready capacity_exceeded insufficient_capacity no_capacity
            resource_unavailable""",
        "timeout": "timeout request_timeout gateway_timeout model_timeout deadline_exceeded",
        "auth": """
            authentication invalid_authentication unauthenticated unauthorized invalid_api_key incorrect_api_key
            api_key_invalid invalid_issuer invalid_organization mismatched_organization organization_restricted
            account_deactivated access_terminated unrecognized_client invalid_signature signature_does_not_match
            invalid_client_token_id missing_authentication_token expired_token not_authorized""",
        "quota_exhausted": """
            insufficient_quota quota_exceeded service_quota_exceeded exceeded_current_quota billing billing_not_active
            billing_hard_limit_reached billing_disabled account_overdue credit_limit blocked_api_access
            insufficient_funds insufficient_balance insufficient_credits payment_required
            budget_exceeded arrearage token_quota_reached allocation_quota_free_tier_only""",
        "not_found": """
            not_found model_not_found model_not_exist resource_not_found deployment_not_found unknown_model
            invalid_model unavailable_model model_decommissioned model_deprecated model_not_available
            model_not_supported model_terms_required model_permission_blocked_org model_permission_blocked_project
            key_model_access_denied team_model_access_denied user_model_access_denied org_model_access_denied
            unsupported_country_region_territory""",
        "context_overflow": """
            context_length_exceeded context_window_exceeded model_context_window_exceeded context_overflow
            exceed_context_size request_too_large tokens_limit_reached string_above_max_length prompt_too_long
            input_too_long""",
        "content_filtered": """
            content_filter content_filtered content_policy_violation responsible_ai_policy_violation invalid_prompt
            prohibited_content safety moderation_blocked data_inspection_failed""",
        "unsupported": """
            model_no_support_for_function
            operation_not_supported
            unsupported unsupported_parameter unsupported_value unknown_parameter unsupported_api_for_model
            array_above_max_length extra_forbidden unimplemented previous_response_not_found""",
        "malformed_tool_call": "tool_use_failed malformed_function_call",
        "unparsable": "json_validate_failed",
        "bad_request": """
            invalid_image invalid_image_format invalid_image_url invalid_base64_image image_parse_error""",
    }
)

OF_ONE_MODEL = frozenset({"allocationquotafreetieronly"})
"""Codes for a quota of one model alone: at DashScope each model has a free quota of its own."""

ITS_OWN = frozenset(
    map(normal, ("invalid_value", "invalid_type", "missing_required_parameter", "invalid_function_parameters"))
)
"""Codes about values in the request. The text that comes with them may quote the request, so few rules search it."""

# Codes too broad to override a status; used only if there is no status, as inside a stream.
BROAD = _kinds(
    {
        "rate_limited": "requests tokens",
        "auth": "permission permission_denied access_denied forbidden",
        "bad_request": """
            invalid_request bad_request invalid_argument invalid_parameter invalid_value invalid_type validation
            failed_precondition out_of_range unprocessable_entity""",
        "server_error": """
            server internal internal_server internal_failure api aborted cancelled data_loss upstream
            model_error_exception model_stream_error_exception""",
    }
)

# Class names that decide whatever the status is.
DECISIVE_NAMES = _kinds(
    {
        "context_overflow": "ContextOverflowError ContextWindowExceededError",
        "content_filtered": "ContentFilterFinishReasonError ContentPolicyViolationError BlockedPromptException "
        "StopCandidateException",
        "length": "LengthFinishReasonError",
        "refusal": "RefusalError ModelRefusalError OpenAIRefusalError",
        "server_error": "DecodingError DecodeError ContentDecodingError ContentEncodingError",
    }
)

# Class names of clients, transports and the frameworks' own errors; used if no code and no status decides.
NAMES = TELLING | _kinds(
    {
        "rate_limited": "ModelRateLimitError",
        "overloaded": "OverloadedError",
        "timeout": """
            TimeoutException ReadTimeout ConnectTimeout WriteTimeout PoolTimeout APITimeoutError ModelTimeoutError
            ServerTimeoutError SocketTimeoutError StreamChunkTimeoutError EndpointTimeout""",
        "connection": """
            ConnectionError APIConnectionError ModelConnectionError EndpointConnectionError ConnectError ReadError
            WriteError CloseError NetworkError ProtocolError RemoteProtocolError LocalProtocolError ProxyError
            TransportError ConnectionClosedError HTTPClientError ResponseStreamingError IncompleteRead
            IncompleteReadError ServerDisconnectedError ClientConnectorError ClientOSError ClientPayloadError
            ClientConnectionError NewConnectionError NameResolutionError MaxRetryError ChunkedEncodingError SSLError
            SSLCertVerificationError gaierror RemoteDisconnected BadStatusLine HttpProcessingError ServiceRequestError
            ServiceResponseError TooManyRedirects""",
        "auth": """
            ModelAuthenticationError PermissionDeniedError ModelPermissionDeniedError OAuthError CredentialsError
            NoCredentialsError PartialCredentialsError CredentialRetrievalError DefaultCredentialsError RefreshError
            NoAuthTokenError TokenRetrievalError UnauthorizedSSOTokenError SSOTokenLoadError
            SubjectTokenProviderError""",
        "not_found": "ModelNotFoundError",
        "bad_request": """
            BadRequestError InvalidArgument ModelInvalidRequestError UnprocessableEntityError ParamValidationError
            UnicodeEncodeError""",
        "server_error": """
            APIError ServerError InternalServerError ModelAPIError APIResponseValidationError EndpointReplyError
            EndpointStreamError DecodingError JSONDecodeError UnicodeDecodeError UnknownApiResponseError BadGateway
            ContentTypeError ResponseValidationError ResponseParserError ChecksumMismatch InvalidHeadersLength
            InvalidPayloadLength SSEError ResponseNotRead""",
        "unparsable": "OutputParserException ValidationError",
    }
) | DECISIVE_NAMES  # fmt: skip

# The last resort: parts of class names, for clients that are not listed.
FRAGMENTS = (
    ("contextlength", "context_overflow"), ("contextwindow", "context_overflow"),
    ("contextoverflow", "context_overflow"),
    ("contentfilter", "content_filtered"), ("contentpolicy", "content_filtered"),
    ("ratelimit", "rate_limited"), ("toomanyrequests", "rate_limited"), ("throttl", "rate_limited"),
    ("quota", "quota_exhausted"), ("timeout", "timeout"), ("timedout", "timeout"),
    ("overload", "overloaded"), ("unavailable", "overloaded"),
    ("authenticat", "auth"), ("unauthori", "auth"), ("credential", "auth"), ("permissiondenied", "auth"),
    ("accessdenied", "auth"), ("connect", "connection"), ("network", "connection"),
    ("midstream", "connection"), ("internalserver", "server_error"), ("badgateway", "server_error"),
)  # fmt: skip

_STATUSES = {
    401: "auth", 402: "quota_exhausted", 403: "auth", 404: "not_found", 405: "not_found", 406: "server_error",
    407: "connection", 408: "timeout", 409: "server_error", 410: "not_found", 411: "server_error",
    413: "context_overflow", 414: "unsupported", 415: "unsupported", 417: "server_error", 420: "rate_limited",
    421: "server_error", 423: "server_error", 424: "server_error", 425: "overloaded", 426: "server_error",
    429: "rate_limited", 431: "unsupported", 444: "server_error", 451: "server_error", 460: "server_error",
    494: "unsupported", 495: "server_error", 496: "server_error", 497: "server_error", 498: "overloaded",
    499: "server_error", 501: "unsupported", 503: "overloaded", 504: "timeout", 522: "timeout", 524: "timeout",
    529: "overloaded",
}  # fmt: skip


def status_kind(status: int) -> str:
    """The kind of fault by an HTTP status alone. 3xx is "unknown": the base URL is probably wrong."""
    broad = "server_error" if status >= 500 else "bad_request" if status >= 400 else "unknown"
    return _STATUSES.get(status, broad)


ENDED = frozenset(map(normal, ("ContentFilterFinishReasonError", "LengthFinishReasonError")))
"""Classes that an SDK raises for an answer because of its finish reason."""

REPLY_PARTS = frozenset({"choices", "usage", "content", "model_dump", "candidates", "message", "output", "id", "model"})
GARBLED = (
    "unexpected response type",
    "response missing 'choices'",
    "null value for 'choices'",
    "can only parse array of json",
)
"""How clients fail on a body that is no reply: the missing attribute, or their own texts in lower case."""

IN_STREAM = frozenset(map(normal, ("EndpointStreamError", "APIError", "MidStreamFallbackError")))
"""Classes raised without a status for an error event inside a stream."""

GARBLED_REPLY = frozenset(
    map(normal, ("JSONDecodeError", "DecodingError", "DecodeError", "ContentDecodingError", "ContentEncodingError",
                 "SSEError", "UnicodeDecodeError"))
)  # fmt: skip
"""Classes that mean that a reply came and could not be parsed."""

UNREADABLE = normal("HttpProcessingError")
"""The class that aiohttp raises for bytes that are not HTTP."""

HUNG_UP = frozenset(
    map(normal, ("ServerDisconnectedError", "ConnectionResetError", "BrokenPipeError", "ConnectionRefusedError"))
)
"""Classes that mean that a connection broke or was refused, even if httpx-aiohttp raises a ConnectTimeout from them."""

UNSENT = frozenset(
    map(normal, ("ConnectError", "ConnectTimeout", "ConnectTimeoutError", "ConnectionRefusedError", "gaierror",
                 "EndpointConnectionError", "ClientConnectorError", "NameResolutionError", "NewConnectionError"))
)  # fmt: skip
"""Classes that mean that no connection was made (botocore's EndpointConnectionError among them)."""
