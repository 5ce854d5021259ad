"""Take key, prompt and completion out of what a server says, before it goes into an exception.

Servers quote the request in their error texts. What remains must still tell a full window from an
empty account, so words that error texts are made of stay, even if the prompt has them too.
"""

from __future__ import annotations

import json
import re

LONGEST = 300
_READ = 2_000
GAP = "…"
_KEYS = re.compile(r"\S*\*{3,}\S*|\b(?:sk|pk|gsk|xai|key|tok|Bearer)[-_ ][\w\-]{6,}")
_WORD = re.compile(r"\w{3,}")
_MANY_GAPS = re.compile(rf"{GAP}(?:[\W_]*{GAP})+")
_TELLING = re.compile(r"[\w.:/\-\[\]]{1,64}")

PLAIN_WORDS = frozenset(
    """
    about access account additional again allowed and another any api are argument arguments argument array attempts
    available bad balance because been billing bytes call calls cannot capacity characters chat check choice code
    completion completions concurrency connection content contact context contains contents could credential credentials
    credit credits currently daily day deadline denied deployment details did disabled does due during empty enabled
    enough error exceed exceeded exceeds exceeding exist exists expected expired failed field fields file filter
    filtered filtering for format forbidden found free from full function functions gateway got had has have high
    however image images includes including incorrect input inputs instance insufficient internal invalid issue json key
    large later length less limit limited limits load longer longest lower management many max maximum may message messages
    minute missing mode model models more must need new not number one only organization out output outputs over
    overloaded parameter parameters payment per period permission plan please policy present project prompt prompts
    property provided provider quota rate reached reasoning received reduce request requested requests require required
    requires resource response responses resulted retry role safety schema second seconds server service should size
    stop stream support supported supports system temporarily than that the their then there these this through
    time timeout timed token tokens too tool tools top total try type unable unauthorized unavailable unexpected
    unknown unprocessable unrecognized unsupported upgrade usage use used user using valid value values was were when
    which will window with within you your
    max_tokens max_completion_tokens max_output_tokens tool_choice tool_calls response_format json_schema json_object
    stream_options include_usage reasoning_effort parallel_tool_calls context_length_exceeded content_filter
    insufficient_quota rate_limit_exceeded model_not_found invalid_api_key image_url input_audio temperature top_p
    logprobs logit_bias seed presence_penalty frequency_penalty gpt claude gemini mistral llama rpm tpm tpd rpd
    """.split()  # noqa: SIM905 - 300 words read better as prose than as a list of literals
)


def scrub(told: str, sent: str = "", key: str = "") -> str:
    """`told` without the key, anything key-like, and any word that was sent, unless errors are made of it.

    `sent` is the request body as JSON text. At most 300 characters come back, on one line.
    """
    text = told[:_READ]
    if key:
        text = text.replace(key, GAP)
    text = _WORD.sub(lambda found: _kept(found.group(), sent), _KEYS.sub(GAP, text))
    text = _MANY_GAPS.sub(GAP, " ".join(text.split()))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + GAP


def _kept(word: str, sent: str) -> str:
    if word.lower() in PLAIN_WORDS:
        return word
    return GAP if word in sent or json.dumps(word)[1:-1] in sent else word


def identifier(value: object, sent: str = "", key: str = "") -> str:
    """A provider's code or type if it reads like one ("rate_limit_exceeded", "429"), else ""."""
    text = "" if value is None else str(value)
    if not _TELLING.fullmatch(text) or (key and key in text):
        return ""
    words = _WORD.findall(text.replace("[", " "))
    return text if all(_kept(word, sent) != GAP for word in words) else ""
