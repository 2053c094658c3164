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


class Savings(ResponseModel):
    """What can be saved. The classes exclude each other, so they add up to `wasted_usd`."""

    window: Window
    requests: int
    requests_read: int = Field(description="The newest; all of them in a replica.")
    cost_usd: float = Field(description="Of the requests read.")
    wasted_usd: float
    found: list[WasteClass]
