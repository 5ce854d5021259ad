"""Removes key, prompt and completion from a server's error text, before it goes into an exception.

Servers quote the request in their error texts. The rest must still distinguish a full window from an empty account, so
words that are common in error texts are kept, even if the prompt contains them too.
"""

from __future__ import annotations

import json
import re

LONGEST = 300
_READ = 2_000
Keys = str | tuple[str, ...]
"""One key or several, the longest first; "" is none."""
_ESCAPED = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")
GAP = "…"
_KEYS = re.compile(r"\S*\*{3,}\S*|\b(?:sk|pk|gsk|xai|key|tok)[-_][\w\-]{6,}|\bBearer +\S+")
_WORD = re.compile(r"\w{3,}")
_MANY_GAPS = re.compile(rf"{GAP}(?:[\W_]*{GAP})+")
_TELLING = re.compile(r"[\w.:/\-\[\]]{1,64}")

PLAIN_WORDS = frozenset(
    """
    about access account additional again allowed and another any api are argument arguments array attempts available
    bad balance because been billing bytes call calls cannot capacity characters chat check choice claude code
    completion completions concurrency connection contact contains content content_filter contents context
    context_length_exceeded could credential credentials credit credits currently daily day deadline denied deployment
    details did disabled does due during empty enabled enough error exceed exceeded exceeding exceeds exist exists
    expected expired failed few field fields file filter filtered filtering for forbidden format found free
    frequency_penalty from full function functions gateway gemini got gpt had has have high however image image_url
    images include_usage includes including incorrect input input_audio inputs instance insufficient
    insufficient_balance insufficient_quota internal invalid invalid_api_key issue json json_object json_schema key
    large later left length less limit limited limits llama load logit_bias logprobs long longer longest low lower
    management many max max_completion_tokens max_output_tokens max_tokens maximum may message messages minute missing
    mistral mode model model_not_found models more must need new not number one only organization out output outputs
    over overloaded parallel_tool_calls parameter parameters payment per period permission plan please policy
    presence_penalty present project prompt prompts property provided provider quota rate rate_limit_exceeded reached
    reasoning reasoning_effort received reduce remaining request requested requests require required requires resource
    response response_format responses resulted retry role rpd rpm safety schema second seconds seed server service
    should size stop stream stream_options support supported supports system temperature temporarily than that the
    their then there these this through time timed timeout token tokens too tool tool_calls tool_choice tools top
    top_p total tpd tpm try type unable unauthorized unavailable unexpected unknown unprocessable unrecognized
    unsupported upgrade usage use used user using valid value values was were when which will window with within yet
    you your
    """.split()  # noqa: SIM905 - 300 words read better as prose than as a list of literals
)


def scrub(told: str, sent: str = "", key: Keys = "") -> str:
    """`told` without the keys, anything key-like, and the words of the request, except common words of error texts.

    `sent`: the request body as JSON text. The result has at most 300 characters, on one line.
    """
    told = _ESCAPED.sub(_unescaped, told)  # first, or it would spell out keys that were not found
    for each in (key,) if isinstance(key, str) else key:
        told = told.replace(each, GAP) if each else told
    text = _WORD.sub(lambda found: _kept(found.group(), sent), _KEYS.sub(GAP, told[:_READ]))
    text = _MANY_GAPS.sub(GAP, " ".join(text.split()))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + GAP


def _kept(word: str, sent: str) -> str:
    if word.lower() in PLAIN_WORDS:
        return word
    return GAP if word in sent or json.dumps(word)[1:-1] in sent else word


def _unescaped(found: re.Match[str]) -> str:
    """The characters that JSON within JSON has escaped, so that they are known again."""
    return bytes.fromhex(found.group().replace("\\u", "")).decode("utf-16-be", "replace")


def identifier(value: object, sent: str = "", key: Keys = "") -> str:
    """A provider's code or type if it looks like one ("rate_limit_exceeded", "429"), else ""."""
    text = "" if value is None else str(value)
    if not _TELLING.fullmatch(text) or any(each and each in text for each in ((key,) if isinstance(key, str) else key)):
        return ""
    words = _WORD.findall(text.replace("[", " "))
    return text if all(_kept(word, sent) != GAP for word in words) else ""
