"""What a token of a model costs: by the installation's own rows, a file, or a list of vendors.

A file has LiteLLM's format (`model_prices_and_context_window.json`). The list is the package
genai-prices, as it was when that was installed: no price comes over the network.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from genai_prices import Usage as ListedUsage
from genai_prices import calc_price

from tracelib import errors
from tracelib.filters import Filters
from tracelib.source import Postgres
from tracelib.spendlogs.own_prices import price_lists

Origin = Literal["own rows", "price file", "list price"]
NEWEST = 2_000
# Prices may change at these numbers of prompt tokens.
TIERS = (0, 128_000, 200_000, 272_000)
PROBE = 1_000
DIGITS = 15
# LiteLLM's names of providers, and those of the list.
VENDORS: Mapping[str, str] = {
    "openai": "openai",
    "text-completion-openai": "openai",
    "anthropic": "anthropic",
    "gemini": "google",
    "vertex_ai": "google",
    "mistral": "mistral",
    "cohere": "cohere",
    "groq": "groq",
    "xai": "x-ai",
    "deepseek": "deepseek",
    "perplexity": "perplexity",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "openrouter": "openrouter",
    "azure": "azure",
    "bedrock": "aws",
}
# Among which a target can be chosen: vendors whose list prices equal LiteLLM's.
DIRECT = ("openai", "anthropic", "gemini", "mistral", "cohere")
LARGEST_FILE = 50_000_000
GREATEST = 1e9


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars for a token of the prompt, read from and written to the cache, and of output."""

    input: float
    output: float
    read: float
    write: float


@dataclass(frozen=True, slots=True)
class Price:
    """The rates of a model by the size of the prompt, and what the model can do; None is unknown.

    `tiers` has the rates from each number of prompt tokens on, ascending.
    """

    tiers: tuple[tuple[int, Rates], ...]
    origin: Origin
    context: int | None = None
    has_tools: bool | None = None

    def at(self, tokens: int) -> Rates:
        """The rates of a prompt of this size."""
        return next(rates for least, rates in reversed(self.tiers) if tokens >= least)


Own = tuple[tuple[str, str | None, str], ...]


def own_prices(source: Postgres, filters: Filters, newest: int = NEWEST) -> Own:
    """Which price lists do the newest requests have? Deployment, provider and JSON of each."""
    found = source.rows(price_lists(source.requests(filters), newest))
    return tuple((one.deployment or "", one.provider, json.dumps(one.prices)) for one in found)


@dataclass(frozen=True)
class PriceBook:
    """All prices that are known: `own` first, then those of a `file`, else the list of vendors."""

    own: Mapping[str, Price] = field(default_factory=dict)
    file: Mapping[str, Price] | None = None

    def price(self, deployment: str | None, provider: str | None) -> Price | None:
        """What does this deployment cost? None if no source knows it."""
        name = deployment or ""
        if name in self.own:
            return self.own[name]
        if self.file is not None:
            return self.file.get(name) or self.file.get(name.partition("/")[2])
        return _listed(name.partition("/")[2] or name, provider or "")


def price_book(own: Own, path: str | None) -> PriceBook:
    """The prices of these rows, and of the file at this path. Raises BadSetting."""
    known = ((name, _of_list(json.loads(text), "own rows")) for name, _, text in own)
    found = {name: price for name, price in known if price is not None}
    return PriceBook(found, None if path is None else _file(path))


def _file(path: str) -> Mapping[str, Price]:
    """The prices in this file, which is read again once it has changed. Raises BadSetting."""
    try:
        return _read(path, Path(path).stat().st_mtime_ns)
    except (OSError, ValueError, AttributeError):
        raise errors.BadSetting(
            "TRACELIB_PRICES is not the path of a readable price list in LiteLLM’s format."
        ) from None


@lru_cache(maxsize=2)
def _read(path: str, _changed: int) -> Mapping[str, Price]:
    if Path(path).stat().st_size > LARGEST_FILE:
        raise ValueError(path)
    listed = json.loads(Path(path).read_text("utf-8"))
    known = ((name, _of_list(one, "price file")) for name, one in listed.items())
    return {name: price for name, price in known if price is not None}


def _of_list(listed: Any, origin: Origin) -> Price | None:
    """The price in an entry of LiteLLM's list; None if it has none."""
    if not isinstance(listed, dict) or _number(listed, "input_cost_per_token") is None:
        return None
    tiers = [(0, _rates(listed, ""))]
    for least in TIERS[1:]:
        suffix = f"_above_{least // 1_000}k_tokens"
        if _number(listed, f"input_cost_per_token{suffix}") is not None:
            tiers.append((least + 1, _rates(listed, suffix)))
    context = _number(listed, "max_input_tokens")
    tools = listed.get("supports_function_calling")
    return Price(
        tuple(tiers),
        origin,
        None if context is None else int(context),
        tools if isinstance(tools, bool) else None,
    )


def _rates(listed: Mapping[str, Any], suffix: str) -> Rates:
    def rate(name: str, default: float) -> float:
        found = _number(listed, f"{name}{suffix}")
        found = _number(listed, name) if found is None else found
        return default if found is None else found

    plain = rate("input_cost_per_token", 0.0)
    return Rates(
        plain,
        rate("output_cost_per_token", 0.0),
        rate("cache_read_input_token_cost", plain),
        rate("cache_creation_input_token_cost", plain),
    )


def _number(listed: Mapping[str, Any], name: str) -> float | None:
    value = listed.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value < GREATEST else None


@lru_cache(maxsize=2_000)
def _listed(model: str, provider: str) -> Price | None:
    """The list price of a vendor's model, by tier; None if the list lacks it."""
    vendor = VENDORS.get(provider)
    if vendor is None or not model:
        return None
    try:
        tiers = [(least and least + 1, _probed(model, vendor, least + 1)) for least in TIERS]
        whole = calc_price(ListedUsage(input_tokens=1), model_ref=model, provider_id=vendor)
    except (LookupError, ValueError):
        return None
    changed = [tiers[0], *(after for before, after in pairwise(tiers) if after[1] != before[1])]
    return Price(tuple(changed), "list price", whole.model.context_window)


def _probed(model: str, vendor: str, tokens: int) -> Rates:
    """The rates of a prompt of this size, by what parts of it would cost."""
    size = max(tokens, PROBE)

    def each(**usage: int) -> float:
        found = calc_price(
            ListedUsage(input_tokens=size, **usage), model_ref=model, provider_id=vendor
        )
        return _rounded(found.input_price / size)

    output = ListedUsage(input_tokens=size, output_tokens=PROBE)
    of_output = calc_price(output, model_ref=model, provider_id=vendor).output_price / PROBE
    read, write = each(cache_read_tokens=size), each(cache_write_tokens=size)
    return Rates(each(), _rounded(of_output), read, write)


def _rounded(price: Decimal) -> float:
    return float(round(price, DIGITS))
