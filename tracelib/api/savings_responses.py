"""The response models of what can be saved."""

from pydantic import Field

from tracelib.api.responses import SHARE, ResponseModel, Window


class WastefulSession(ResponseModel):
    """A session with requests of a class."""

    session_id: str
    api_key: str = Field(description="The hash of the key.")
    requests: int
    cost_usd: float


class WasteClass(ResponseModel):
    """Requests with a cost that bought nothing, of one kind."""

    name: str
    title: str
    requests: int
    cost_usd: float
    share: float | None = Field(description=f"Of the cost of the requests read. {SHARE}")
    definition: str
    remedy: str
    sessions: list[WastefulSession] = Field(description="Those of the highest cost, at most 3.")


class CacheTime(ResponseModel):
    """What a cache could have served, at the least, that keeps responses so long."""

    ttl_s: int
    cost_usd: float


class CacheMisses(ResponseModel):
    """Prompt tokens that a provider’s cache should have served and did not, for one cause."""

    cause: str
    title: str
    requests: int
    tokens: int
    cost_usd: float | None = Field(description="null if no price is known.")
    definition: str
    remedy: str


class ContextSentAgain(ResponseModel):
    """Prompt tokens that the request before had sent already."""

    prompt_tokens: int
    resent_tokens: int
    cached_tokens: int = Field(description="Of those, read from the provider’s cache.")
    share: float | None = Field(description=SHARE)
    cost_usd: float


class UnusedTool(ResponseModel):
    """A tool that a key offers and never calls."""

    tool: str
    api_key: str
    requests: int
    tokens: int = Field(description="Of its description, at four bytes a token.")
    cost_usd: float | None = Field(description="null if no price is known.")


class RepricedDeployment(ResponseModel):
    """What was booked, and what the tokens cost by the deployment’s own price."""

    deployment: str
    provider: str | None
    requests: int
    booked_usd: float
    own_price_usd: float | None = Field(description="null if no price is known.")
    price_from: str | None
    on_target_usd: float | None = Field(description="On the `target`, where requests fit into it.")
    feasible: int | None = Field(description="The requests that are sure to fit into the target.")


class Savings(ResponseModel):
    """What can be saved. The classes exclude each other, so they add up to `wasted_usd`."""

    window: Window
    requests: int
    requests_read: int = Field(description="The newest; all of them in a replica.")
    cost_usd: float = Field(description="Of the requests read.")
    wasted_usd: float
    bodies_read: int = Field(description="The requests whose bodies were compared.")
    found: list[WasteClass]
    cacheable: list[CacheTime]
    cache_ttl_s: int | None = Field(description="The shortest that gets 80 % of a day’s.")
    cache_misses: list[CacheMisses]
    context: ContextSentAgain
    unused_tools: list[UnusedTool]
    repriced: list[RepricedDeployment]
