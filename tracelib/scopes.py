"""Scopes in settings: whose requests may be seen, as JSON."""

from collections.abc import Mapping

from tracelib.access import EVERYONE, Scope

KINDS = ("teams", "users", "keys")
MOST_IDS = 1_000
LONGEST_ID = 300


def read_scope(document: object) -> Scope:
    """The scope in this JSON. Raises ValueError with the end of a sentence about it.

    Either `{"all": true}`, or any of `teams`, `users` and `keys`, lists of IDs.

    >>> read_scope({"teams": ["b", "a"]})
    Scope(is_all=False, teams=('a', 'b'), users=(), keys=())
    """
    if isinstance(document, dict) and [*document] == ["all"] and document["all"] is True:
        return EVERYONE
    if not isinstance(document, dict) or not document or "all" in document:
        raise ValueError('`scope` must be {"all": true}, or contain `teams`, `users` or `keys`.')
    scope = read_ids(document)
    if scope == Scope():
        raise ValueError("`scope` is empty: it needs at least one team, user or key.")
    return scope


def read_ids(document: Mapping[str, object]) -> Scope:
    """The scope with these IDs. Raises ValueError with the end of a sentence about it."""
    if unknown := document.keys() - set(KINDS):
        raise ValueError(f"`scope` has the unknown field {min(map(str, unknown))[:40]!r}.")
    teams, users, keys = (_ids(kind, document.get(kind, [])) for kind in KINDS)
    if any(key.startswith("sk-") for key in keys):
        raise ValueError(
            "`scope.keys` must be the hashes that LiteLLM stores, not the keys themselves."
        )
    return Scope(teams=teams, users=users, keys=keys)


def _ids(kind: str, named: object) -> tuple[str, ...]:
    ids = named if isinstance(named, list) else [None]
    if len(ids) > MOST_IDS or not all(_is_id(one) for one in ids):
        raise ValueError(f"`scope.{kind}` must be a list of at most {MOST_IDS} IDs.")
    return tuple(ids)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID
