"""The ids under which the Responses API knows a response, as LiteLLM writes them."""

import base64
import binascii
import re

from tracelib.spendlogs.conditions import can_be_stored

_PREFIX = "resp_"
_ROUTED = re.compile(rb"litellm:.*;response_id:(.+)", re.DOTALL)
_CACHE_HIT = "_cache_hit"  # then the time, in the row of a response replayed from the cache


def spellings(response_id: str) -> frozenset[str]:
    """Under which ids may a response be stored or named that is called this?

    Its own, without the suffix of a cache hit, and the provider's where LiteLLM has wrapped it
    with its route. Nothing for an id that PostgreSQL could not hold. LiteLLM's encrypted ids
    hide the provider's, but are the same wherever they are written.

    >>> sorted(spellings("resp_1_cache_hit1764058952.25"))
    ['resp_1', 'resp_1_cache_hit1764058952.25']
    >>> routed = base64.b64encode(b"litellm:model_id:m;response_id:resp_1").decode()
    >>> sorted(spellings(f"resp_{routed}")) == ["resp_1", f"resp_{routed}"]
    True
    """
    named = response_id.split(_CACHE_HIT)[0]
    return frozenset(filter(can_be_stored, (response_id, named, _provider_s(named))))


def _provider_s(response_id: str) -> str:
    if not response_id.startswith(_PREFIX):
        return ""
    try:
        plain = base64.b64decode(response_id.removeprefix(_PREFIX))
    except (binascii.Error, ValueError):  # too short, or not ASCII
        return ""
    found = _ROUTED.fullmatch(plain)
    return found[1].decode(errors="replace") if found else ""
