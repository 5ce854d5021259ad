"""Phrases in error texts that identify a fault: quota, overflow, filter, bad key, missing capability.

Texts are in lower case and at most 4 kB. Every repetition is bounded, so a rule takes linear time. Providers change
their wording without notice, so phrases are used after codes, and only with a status that several kinds share.
"""

from __future__ import annotations

import re

_COUNT = r"(?P<n>\d[\d,]{0,12})"
_ANY = r"\d[\d,]{0,12}"

# Overflow texts that state the window, which is the group `n`.
WINDOWS = tuple(
    re.compile(pattern.replace("COUNT", _COUNT).replace("ANY", _ANY))
    for pattern in (
        r"max(?:imum)? (?:context|model|prompt|sequence|input) (?:window|length|size|tokens)(?: is| of|:)? {0,2}COUNT",
        r"COUNT maximum context length",
        r"maximum context length of [\w./:-]{1,80} is COUNT",
        r"too long: {0,2}ANY tokens > COUNT",
        r"context limit: ANY \+ ANY > COUNT",
        r"maximum number of (?:input )?tokens allowed(?: is| of)?[ (:]{1,3}COUNT",
        r"only supports up to COUNT",
        r"(?:context|max(?:imum)? allowed) (?:size|length) \(COUNT",
        r"context length (?:is|of)(?: only)? COUNT",
        r"\bn_ctx\b[\"' :=(]{1,5}COUNT",
        r"configured limit of COUNT tokens",
        r"token count(?: of)? ANY exceeds the limit of COUNT",
        r"model token limit: COUNT",
        r"tokens in the prompt cannot exceed COUNT",
        r"cannot exceed the total tokens limit COUNT",
        r"exceeded this model context window limit \(COUNT",
        r"input length should be \[\d{1,4}, ?COUNT",
        r"`max_new_tokens` must be <= COUNT",
        r"`inputs` must have less than COUNT tokens",
        r"\bmax_seq_len \(COUNT",
        r"(?:prompt|input)\b[\w ]{1,40},? which exceeds the (?:limit|maximum) of COUNT tokens",
        r"max size: COUNT tokens",
        r"too long to fit into the model \(context length COUNT",
    )
)

STATED_WINDOWS = tuple(
    re.compile(pattern.replace("COUNT", _COUNT).replace("ANY", _ANY))
    for pattern in (r"context window (?:is|of)(?: only)? COUNT", r"ANY(?: tokens)? > (?:max(?:imum)?:? )?COUNT")
)
"""Where else an overflow text states the window. Such words alone are no overflow."""

_OVERFLOW = re.compile(
    r"prompt (?:is )?too long|input (?:is )?too long|context_length_exceeded|exceed_context_size"
    r"|exceeds? the context window|context window exceeds limit|exceeds? the available context"
    r"|exceeds? the (?:model'?s )?(?:maximum )?context length|greater than the context length"
    r"|context size has been exceeded|too many input tokens|exceeds? the maximum number of tokens"
    r"|reduce the length of the (?:messages|prompt|input)|input length and `max_tokens` exceed"
    r"|prompt exceeds (?:the )?max|too long to fit into the model"
    r"|input tokens exceeds? (?:the )?max|too many tokens: |payload size exceeds|max_tokens must be at least 1, got -\d"
)
_MONEY = re.compile(
    r"(?:balance|credits?|funds) (?:is|are) (?:too low|insufficient|depleted|exhausted)"
    r"|insufficient[ _](?:balance|credits|funds)|(?:used|use) all available credits|run out of credits|overdue balance"
    r"|余额不足|monthly included credits|requires more credits|credit limit exceeded|spending (?:cap|limit)"
    r"|its spend limit|reached your specified (?:workspace )?api usage limits|billing hard limit|call volume quota"
    r"|(?:does not|doesn't) have any credits|key limit exceeded"
)
_QUOTA = re.compile(
    r"insufficient_quota|exceeded your current quota|payment required"
    r"|trial key, which is limited to [\d,]{1,12} api calls / month"
)
_FILTER = re.compile(
    r"content management policy|content filtering policy|content[_ ]filter|content policy|responsibleaipolicyviolation"
    r"|flagged as potentially|(?:blocked by|rejected by|result of) (?:our |the )?safety|requires moderation"
    r"|input was flagged|content exists risk|potentially unsafe or sensitive content|\bblocked (?:in|out)put:"
    r"|\b(?:content|prompt|request|(?:in|out)put|text|image)s? (?:[a-z]{1,12} ){0,2}violat(?:es?|ed|ing)"
    r" (?:our |the )?(?:usage|content|safety) (?:guideline|polic)"
    r"|\b(?:in|out)put(?: [a-z]{1,12})? may contain (?:sensitive|inappropriate|unsafe|harmful) (?:information|content)"
)
REGION = re.compile(
    r"(?:country|region|territory|location)s?,? (?:is |are )?(?:currently )?not (?:supported|available|allowed)"
    r"|(?:not|isn't) (?:supported|available|offered|allowed) (?:in|from|for) (?:your|this|unsupported) "
    r"(?:country|countries|region|location)|unsupported[ _]country|^request not allowed$"
)
"""Refused because of the caller's region. Not about the key, and at a gateway it may hold for some models only."""
_KEY = re.compile(
    r"api[_ ]key (?:is )?(?:not valid|invalid|expired|not found)|(?:invalid|incorrect|missing) (?:x-)?api[-_ ]key"
    r"|api_key client option must be set|could not resolve authentication|unable to locate credentials"
    r"|no auth credentials|illegal header value|organization has been disabled"
)
_MODEL = re.compile(
    r"\baccess to (?:the |this )?model\b|(?:not allowed|request) to access (?:the |this )?model\b"
    r"|permission to (?:use|access) (?:the |this )?model|model access is denied|provided model identifier is invalid"
    r"|on-demand throughput isn.t supported|model has reached the end of its life|model has been decommissioned"
    r"|is not a valid model id|is not a supported model\b|\bunsupported model(?::| [`'\"])"
    r"|\b(?:no such|unknown|unavailable) model\b|\binvalid model(?: name)?(?: passed|:)"
    r"|(?:^|\bthe |[^\w ] ?)model(?: [\w./:@`'\"-]{1,80})? (?:does )?not exist\b|too large to be loaded automatically"
)
_LOADING = re.compile(
    r"\bmodel(?: [\w./:\"'-]{1,80})? is (?:currently |still )?(?:being )?load(?:ing|ed)\b|\bloading model\b"
    r"|\bmodel (?:is )?unloaded\b|\bdegraded function cannot be invoked"
)
_CRASHED = re.compile(r"\bmodel has crashed\b|\bfailed to load model\b")
_TOOL = re.compile(r"failed to call a function|tool_use_failed")
_LACKING = re.compile(
    r"(?:\bnot|n't|only) (?:currently )?support|unsupported|not compatible with|enabled only for"
    r"|is not enabled for models/|not yet available for|model only works|type is unavailable|required for image input"
    r"|\bmax_?(?:output_?|completion_?|new_?)?tokens\b.{0,80}\b(?:range|less than or equal)\b|range of max_tokens"
    r"|maximum tokens you requested exceed|unknown variant .image_url|a maximum of \d{1,5} pdf pages"
    r"|extra inputs are not permitted|extra_forbidden|unrecognized request argument|unknown parameter"
    r"|maximum allowed number of output tokens|supports at most|--enable-auto-tool-choice"
    r"|is not a multimodal model|at most \d{1,3} (?:image|audio|video)|image exceeds \d|image dimensions exceed"
)
_OVERFLOW_AT_500 = re.compile(r"^context size has been exceeded|^requested tokens \(\d{1,9}\) exceed context window of")
"""llama.cpp's server and llama-cpp-python's."""
_OF_MODEL = re.compile(r"\b(?:for|with|by|on|from) this model\b")
"""What one model refuses another may take. Not with a 429: there it is a limit "for this model"."""
_NO_ROUTE = re.compile(r"no endpoints found (?:that support|matching)")
_THING = r"(?:file|item|previous response|container|conversation|thread|vector store|prompt)"
_STALE = re.compile(
    rf"no such {_THING}|\b{_THING}(?: with id)? ['\"`]?[\w-]{{1,80}}['\"`]? (?:was )?not found"
    r"|\bfile not found: file[_-]|previous_response_not_found|\bcachedcontent not found"
    r"|permission to access the file\b"
)
"""A file or other object that the request names and the account does not have. Not about the model."""
EVENT = "error event occurred during "
"""How watsonx's SDK begins the text of an error for an event in a stream; the event's own words follow."""
_LOOSE = (
    (re.compile(r"rate[ _]limit|too many requests"), "rate_limited"),
    (re.compile(r"overloaded|temporarily unavailable|service unavailable|no healthy upstream"), "overloaded"),
    (re.compile(r"timed out|time-?out exceeded"), "timeout"),
    (re.compile(r"connection (?:refused|reset|aborted|closed|error)"), "connection"),
    (re.compile(r"internal server error|bad gateway"), "server_error"),
    (re.compile(r"runner (?:process )?(?:has )?(?:terminated|unexpectedly stopped|failed)"), "server_error"),
    (re.compile(r"error was encountered while running the model"), "server_error"),
    (re.compile(EVENT), "server_error"),
)

_NAMED = (_STALE, "unsupported")
MONEY = ((_MONEY, "quota_exhausted"),)
_OPEN = (
    *((window, "context_overflow") for window in WINDOWS),
    (_OVERFLOW, "context_overflow"),
    (_QUOTA, "quota_exhausted"),
    (_FILTER, "content_filtered"),
    (REGION, "not_found"),
    (_KEY, "auth"),
    (_MODEL, "not_found"),
    (_LOADING, "overloaded"),
    (_CRASHED, "server_error"),
    (_TOOL, "malformed_tool_call"),
    (_LACKING, "unsupported"),
)
_ONE_MODELS = ((_OF_MODEL, "unsupported"),)
OF_VALUES = tuple(rule for rule in (*_OPEN, *_ONE_MODELS) if rule[1] in ("context_overflow", "unsupported"))
"""For codes about the request's own values, whose texts may quote it: quoted words must not disable anything."""
_ASKED = frozenset({400, 402, 403, 412, 413, 422, 429, 498})
Rules = tuple[tuple[re.Pattern[str], str], ...]
_MONEY_FIRST: dict[int | None, Rules] = {403: (*MONEY, _NAMED), 404: (_NAMED,)}
_BY_STATUS: dict[int | None, Rules] = {
    404: ((_NO_ROUTE, "unsupported"),),
    429: ((_QUOTA, "quota_exhausted"), (_LOADING, "overloaded")),
    500: ((_OVERFLOW_AT_500, "context_overflow"),),
}  # fmt: skip


def rules_for(status: int | None, *, money: bool = False) -> Rules:
    """The rules that apply with a status; none if the status is unambiguous.

    `money`: only the rules that precede codes. A per-minute limit and an empty account may have the same code, and so
    may an unknown model and an unknown file with 404.
    """
    if money:
        return _MONEY_FIRST.get(status, MONEY if status is None or status in _ASKED else ())
    return _BY_STATUS.get(status, _OPEN if status is None or status in _ASKED else ())


def model_rules(status: int | None) -> Rules:
    """The rule for what one model refuses, for texts that nothing else tells of."""
    return _ONE_MODELS if status in (400, 403, 422) else ()


def loose_rules() -> Rules:
    """The rules for texts without status and code."""
    return _LOOSE


def told_by(texts: tuple[str, ...], rules: Rules) -> str:
    """The kind of the first rule that matches any of the texts; "" if none does."""
    return next((kind for rule, kind in rules if any(rule.search(text) for text in texts)), "")
