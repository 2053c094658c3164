"""What of a key and of a model's name may leave the database, whatever a row holds there.

PostgreSQL only, for how it hashes. The tests that ordinary values pass are cheap ones: every
scan of the log makes them.
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, case, false, func, not_, or_
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.types import Integer, Text

from tracelib.keys import (
    CLI_SESSION,
    CLI_TOKEN,
    DIGITS,
    HASHED_JWT,
    HIDDEN,
    NAMES,
    NOBODY,
    is_stored_so,
    key_identity,
)

HASH_LENGTH = 64
# A name so short is shown whatever it is; a longer one has no white space, but for an MCP tool's.
SHORT_NAME, LONGEST_NAME = 64, 200
ONE_WORD = "^(MCP: )?[^[:space:][:cntrl:]]+$"
LONG_NAME = "long-name-"


def shown_key(key: ColumnElement[str]) -> ColumnElement[str]:
    """By what is a stored key known? As `keys.key_identity` says; empty for nobody."""
    is_named = or_(
        key.in_(list(NAMES)),
        key.regexp_match(f"^{HASHED_JWT}$"),
        and_(
            key.startswith(CLI_SESSION, autoescape=True), not_(key.regexp_match(f"^{CLI_TOKEN}$"))
        ),
    )
    return case(
        (_is_hash(key), key),
        (key.in_(NOBODY), ""),
        (is_named, key),
        else_=_hashed(HIDDEN, key),
    )


def key_or_none(key: ColumnElement[str]) -> ColumnElement[str]:
    """The same, NULL for nobody."""
    return func.nullif(shown_key(key), "", type_=Text())


def is_key_of(key: ColumnElement[str], identities: Iterable[str]) -> ColumnElement[bool]:
    """Which rows have a stored key that is known by one of these?

    A key itself does for its identity, as in an old link. Hashes are compared with the column
    as it is, so that an index on it serves.
    """
    known = [key_identity(one) for one in identities]
    stored = [one for one in known if is_stored_so(one)]
    stored += NOBODY if "" in known else ()
    others = [one for one in known if one and not is_stored_so(one) and "\0" not in one]
    found = [key.in_(stored)] if stored else []
    found += [shown_key(key).in_(others)] if others else []
    return or_(false(), *found)


def shown_name(name: ColumnElement[str]) -> ColumnElement[str]:
    """What is shown of a model's name? Itself, but for one so long that it is no name.

    Clients have sent their prompts as the model; such a text goes by a short hash of itself.
    """
    length: ColumnElement[int] = func.octet_length(name, type_=Integer())
    is_name = and_(length <= LONGEST_NAME, name.regexp_match(ONE_WORD))
    return case(
        (length <= SHORT_NAME, name), (is_name, name), (name.is_not(None), _hashed(LONG_NAME, name))
    )


def _is_hash(key: ColumnElement[str]) -> ColumnElement[bool]:
    # A pattern of 64 digits takes PostgreSQL twenty times as long.
    length: ColumnElement[int] = func.octet_length(key, type_=Integer())
    return and_(length == HASH_LENGTH, not_(key.regexp_match("[^0-9a-fA-F]")))


def _hashed(beginning: str, text: ColumnElement[str]) -> ColumnElement[str]:
    digest = func.sha256(func.convert_to(text, "UTF8", type_=BYTEA()), type_=BYTEA())
    return func.concat(beginning, func.left(func.encode(digest, "hex"), DIGITS), type_=Text())
