"""The response models of what changed against the window before."""

from datetime import datetime

from pydantic import Field

from tracelib.api.responses import ResponseModel, Window

EXACT = "Exact: a decimal number as text."


class Effects(ResponseModel):
    """What each factor adds to the change of cost, US dollars; together the change.

    Per model, cost is requests × tokens per request × dollars per token.
    """

    requests: str = Field(description=EXACT)
    tokens_per_request: str = Field(description=EXACT)
    dollars_per_token: str = Field(description=EXACT)
    new_models: str = Field(description=EXACT)
    gone_models: str = Field(description=EXACT)


class Mover(ResponseModel):
    """A value of a dimension, and what it adds to the change."""

    name: str | None = Field(description="null for requests without a value.")
    session_id: str | None = Field(description="Of a session; `name` is that of its key.")
    before: float | None
    now: float | None
    change: float
    share: float | None = Field(description="Of the whole change; above 1 if others offset it.")
    mix: float | None = Field(description="Of an average: by another share of the requests.")
    rate: float | None = Field(description="Of an average: by another average of its own.")
    is_new: bool
    is_gone: bool


class Others(ResponseModel):
    """All other values together."""

    values: int | None = Field(description="How many; null if unknown.")
    before: float | None
    now: float | None
    change: float


class Dimension(ResponseModel):
    """The largest movers of a dimension; with `others` they add up to the change."""

    dimension: str
    movers: list[Mover]
    others: Others | None


class Marker(ResponseModel):
    """A change of the installation, such as a model that is first used."""

    at: datetime
    kind: str = Field(description="model, deployment, agent_version, price or recorded.")
    what: str
    model: str | None = Field(description="The public model it is about, if it is one.")


class Changes(ResponseModel):
    """A figure of a window against the window of equal length before it, and what changed it."""

    window: Window
    previous: Window
    measure: str
    headline: str
    is_comparable: bool = Field(description="The log reaches back to the start of `previous`.")
    log_begins: datetime | None
    before: float | None
    now: float | None
    cost_effects: Effects | None = Field(description="null for other measures than cost.")
    dimensions: list[Dimension] = Field(description="Empty if nothing can be compared.")
    markers: list[Marker] | None = Field(description="null unless `markers` is true.")
