"""The aggregates over requests that figures are made of, and the tags of a request."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Subquery,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    not_,
    null,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, JSONPATH, aggregate_order_by
from sqlalchemy.sql.selectable import CTE
from sqlalchemy.types import BigInteger, Double, Numeric, Text

from tracelib.spendlogs.documents import decoded
from tracelib.spendlogs.types import BETWEEN, Elapsed, Identity, Tags, are_columns

Relation = Subquery | CTE


def named(**figures: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """These columns of a statement, each under its name, in their order."""
    return [figure.label(name) for name, figure in figures.items()]


def computed_once(requests: Relation) -> Subquery:
    """The same requests, whose columns PostgreSQL computes once per row.

    Otherwise it computes them in each aggregate that reads them, and many figures read the same
    columns: the figures of 100,000 requests took 141 ms instead of 192. OFFSET keeps PostgreSQL
    from inlining the subquery; conditions on it no longer use an index, nor does an order, so it is
    for queries that read all their rows. The columns of a replica are computed already.
    """
    once = select(requests)
    return (once if are_columns(requests) else once.offset(0)).subquery("once")


def requests_count(_: Relation) -> ColumnElement[int]:
    """How many requests, including failures?"""
    return func.count()


def cost_usd(requests: Relation) -> ColumnElement[Any]:
    """What did they cost, in US dollars? 0 for no rows."""
    return func.coalesce(func.sum(requests.c.spend_usd, type_=Numeric()), 0, type_=Numeric())


def failures(requests: FromClause) -> ColumnElement[int]:
    """How many failed?"""
    return func.count().filter(requests.c.is_failure)


def cache_hits(requests: Relation) -> ColumnElement[int]:
    """How many were served from LiteLLM's own cache?"""
    return func.count().filter(requests.c.is_cache_hit)


def error_rate(requests: Relation) -> ColumnElement[float]:
    """What share of all requests failed?"""
    return ratio(failures(requests), requests_count(requests))


def billed(requests: Relation, tokens: str) -> ColumnElement[int]:
    """How many tokens of a kind were billed by a provider? Those of cache hits are not."""
    total = func.sum(requests.c[tokens], type_=BigInteger()).filter(~requests.c.is_cache_hit)
    return func.coalesce(total, 0, type_=BigInteger())


def total_tokens(requests: Relation) -> ColumnElement[int]:
    """How many tokens, prompt and completion, were billed by a provider?"""
    return billed(requests, "total_tokens")


def replayed_tokens(requests: Relation) -> ColumnElement[int]:
    """How many tokens were served from LiteLLM's cache instead?"""
    served = func.sum(requests.c.total_tokens, type_=BigInteger()).filter(requests.c.is_cache_hit)
    return func.coalesce(served, 0, type_=BigInteger())


def tokens_per_second(requests: Relation) -> ColumnElement[float]:
    """How fast were completions generated? None for embeddings and images.

    A ratio of sums, so that a long response counts for more than a short one.
    """
    generated = and_(requests.c.completion_tokens > 0, requests.c.response_ms.is_not(None))
    waited = func.coalesce(requests.c.ttft_ms, 0, type_=Double())
    # Whole milliseconds add up exactly, in any order.
    waited_ms = func.sum(requests.c.response_ms - waited, type_=Double()).filter(generated)
    seconds = divided(waited_ms, 1_000)
    tokens = func.sum(requests.c.completion_tokens).filter(generated)
    return case((seconds > 0, ratio(tokens, seconds)))


def average(value: ColumnElement[Any]) -> ColumnElement[float]:
    """What is the mean of the known values? None if there are none."""
    return cast(func.avg(value), Double)


def elapsed_ms(start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[float]:
    """How many milliseconds from start to end? None if the end comes first."""
    return case((end >= start, Elapsed(start, end)))


def alphabetical(text: ColumnElement[str]) -> ColumnElement[str]:
    """The text to sort by, or to take the first or last of: by code point, in every database."""
    return text.collate("C")


def first_of(text: ColumnElement[str]) -> ColumnElement[str]:
    """Which of these texts comes first? None if there are none."""
    return func.min(alphabetical(text), type_=Text())


def last_of(text: ColumnElement[str]) -> ColumnElement[str]:
    """Which of these texts comes last? None if there are none."""
    return func.max(alphabetical(text), type_=Text())


def sample(requests: Relation) -> ColumnElement[str]:
    """The ID of one of these requests, to look up names in; a replica does not need it."""
    if isinstance(requests.c.api_key.type, Identity):
        return null().cast(Text()).label("sample")
    return last_of(requests.c.request_id).label("sample")


def ratio(part: ColumnElement[Any], whole: ColumnElement[Any]) -> ColumnElement[float]:
    """What share of a whole is a part? None if the whole is 0 or unknown."""
    known: ColumnElement[float] = func.nullif(cast(whole, Double), 0, type_=Double())
    return type_coerce(cast(part, Double) / known, Double())


def divided(value: ColumnElement[Any], by: float) -> ColumnElement[float]:
    """A value divided by a number, as a double; by an integer, SQLAlchemy would divide decimals."""
    divisor: ColumnElement[float] = literal(float(by), Double())
    return type_coerce(cast(value, Double) / divisor, Double())


def added_up(counts: ColumnElement[int]) -> ColumnElement[int]:
    """What is the sum of these partial counts? As an integer: PostgreSQL would return a numeric."""
    return cast(func.sum(counts), BigInteger)


# LiteLLM tags each request with its user agent, twice.
AUTOMATIC_TAG = "User-Agent:"


def client_tags(request_tags: ColumnElement[Any]) -> FromClause:
    """Which tags did the client send with this row? Each once, in a column `tag`.

    A value that is not a list counts as none; empty tags and LiteLLM's automatic ones are left out.
    """
    if isinstance(request_tags.type, Tags):
        split = func.unnest(func.string_to_array(request_tags, BETWEEN))
        return split.table_valued(column("tag", Text()), name="tags").render_derived()
    return _listed(request_tags, is_automatic=False)


def automatic_tags(request_tags: ColumnElement[Any]) -> FromClause:
    """Which tags has LiteLLM added to this row? As above; a replica does not have them."""
    return _listed(request_tags, is_automatic=True)


def _listed(request_tags: ColumnElement[Any], is_automatic: bool) -> FromClause:
    one = (
        func.jsonb_array_elements_text(decoded(request_tags, "array"))
        .table_valued(column("tag", Text()), name="listed")
        .render_derived()
    )
    own = one.c.tag.like(f"{AUTOMATIC_TAG}%")
    chosen = (one.c.tag != "", own if is_automatic else not_(own))
    tag = func.replace(one.c.tag, BETWEEN, " ", type_=Text())
    return select(tag.label("tag")).where(*chosen).distinct().lateral("tags")


def user_agent(request_tags: ColumnElement[Any]) -> ColumnElement[str]:
    """Which product sent this row, of the automatic tag, without its version? None if unknown.

    Only of tags that are stored as a list: those in a text are left out.
    """
    tag = _automatic_tag(request_tags, "")
    product = func.split_part(tag, "/", 1, type_=Text())
    return func.nullif(func.btrim(product), "", type_=Text())


def user_agent_version(request_tags: ColumnElement[Any]) -> ColumnElement[str]:
    """Which product sent this row, with its version, such as `curl/8.1`? None without a version."""
    tag = func.btrim(_automatic_tag(request_tags, ' && @ like_regex "/ *[0-9]"'))
    return func.nullif(func.split_part(tag, " (", 1, type_=Text()), "", type_=Text())


def _automatic_tag(request_tags: ColumnElement[Any], condition: str) -> ColumnElement[str]:
    path = cast(f'lax $[*] ? (@ starts with "{AUTOMATIC_TAG}"{condition})', JSONPATH)
    nothing: ColumnElement[Any] = func.jsonb_build_object(type_=JSONB())
    tag = func.jsonb_path_query_first(request_tags, path, nothing, True, type_=JSONB())
    text = tag.op("#>>", return_type=Text())(cast([], ARRAY(Text())))
    return func.substr(text, len(AUTOMATIC_TAG) + 1, type_=Text())


def joined_tags(request_tags: ColumnElement[Any]) -> ColumnElement[str]:
    """The tags of `client_tags` as one value of the type `Tags`; NULL for none."""
    tag = client_tags(request_tags).c.tag
    ordered = aggregate_order_by(literal(BETWEEN), alphabetical(tag))
    return select(func.string_agg(tag, ordered, type_=Tags())).scalar_subquery()


def is_tagged(request_tags: ColumnElement[Any], tag: str) -> ColumnElement[bool]:
    """Which rows have this whole tag? NULL if the tags are not a list."""
    if isinstance(request_tags.type, Tags):
        listed = func.concat(BETWEEN, request_tags, BETWEEN, type_=Text())
        return listed.contains(f"{BETWEEN}{tag}{BETWEEN}", autoescape=True)
    return decoded(request_tags, "array").contains([tag])
