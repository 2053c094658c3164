"""Who may see what: a list of people, or of claims of a directory, with their access.

The list is JSON. The first entry that matches a person counts:

    [{"who": "ada@example.com", "role": "admin", "scope": {"all": true}},
     {"who": {"claim": "groups", "value": "platform"}, "role": "auditor",
      "scope": {"teams": ["team-1"], "users": [], "keys": []}},
     {"who": "*@example.com", "role": "viewer", "scope": {"users": {"claim": "sub"}}}]
"""

import json
import string
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from tracelib.permissions.access import Access, Role, Scope, read_ids, read_scope

ROLES = get_args(Role)
ANY = "*"
SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@dataclass(frozen=True, slots=True)
class Person:
    """A viewer, as a directory or a proxy identifies them.

    `who` is their e-mail address, else their name there; None for a viewer of an open app. `claims`
    are further statements about them, each with its values. If `who` is not a verified address, no
    entry with an address matches it, whatever it looks like.
    """

    who: str | None = None
    name: str | None = None
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    has_address: bool = True


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of the list: whom it matches, and what they may see.

    `who` is an address, `*@domain` or `*`; if it is None, the entry matches a person with its
    `claim`, a name and a value. `claimed` are the kinds of IDs that the person's claims fill in.
    """

    access: Access
    who: str | None = None
    claim: tuple[str, str] | None = None
    claimed: tuple[tuple[str, str], ...] = ()


ANYONE = Person()


def access_of(person: Person, listed: tuple[Listed, ...]) -> Access | None:
    """What may this person see? None if no entry matches: nothing at all."""
    return next((_granted(one, person) for one in listed if _fits(one, person)), None)


def read_people(text: str) -> tuple[Listed, ...]:
    """The people in this JSON. Raises ValueError with the end of a sentence about it.

    >>> read_people('[{"who": "*", "role": "viewer", "scope": {"all": true}}]')[0].access.role
    'viewer'
    """
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid JSON: {error}.") from None
    if not isinstance(entries, list) or not entries:
        raise ValueError("must be a JSON list with at least one entry.")
    return tuple(_listed(entry, place) for place, entry in enumerate(entries, start=1))


def _fits(one: Listed, person: Person) -> bool:
    if one.claim:
        name, value = one.claim
        return value in person.claims.get(name, ())
    who, pattern = _folded(person.who or ""), _folded(one.who or "")
    if "@" in pattern and not person.has_address:
        return False
    if pattern.startswith(ANY):
        return bool(who) and who.endswith(pattern.removeprefix(ANY))
    return bool(who) and who == pattern


def _folded(address: str) -> str:
    """The address in lower case, ASCII letters only: ß is not ss, and ſ is not s."""
    return address.translate(SMALL)


def _granted(one: Listed, person: Person) -> Access:
    claimed = {kind: person.claims.get(claim, ()) for kind, claim in one.claimed}
    if not claimed:
        return one.access
    named = one.access.scope
    scope = Scope(
        teams=claimed.get("teams", named.teams),
        users=claimed.get("users", named.users),
        keys=claimed.get("keys", named.keys),
    )
    return replace(one.access, scope=scope)


def _listed(entry: object, place: int) -> Listed:
    if not isinstance(entry, dict) or entry.keys() != {"who", "role", "scope"}:
        raise ValueError(f"entry {place}: must have exactly `who`, `role` and `scope`.")
    if entry["role"] not in ROLES:
        raise ValueError(f"entry {place}: `role` must be one of {', '.join(ROLES)}.")
    try:
        scope, claimed = _scope(entry["scope"])
        who, claim = _whom(entry["who"])
    except ValueError as error:
        raise ValueError(f"entry {place}: {error}") from None
    return Listed(Access(scope, entry["role"]), who, claim, claimed)


def _whom(document: object) -> tuple[str | None, tuple[str, str] | None]:
    if isinstance(document, dict) and document.keys() == {"claim", "value"}:
        name, value = _texts([document["claim"], document["value"]], "who")
        return None, (name, value)
    (who,) = _texts([document], "who")
    if ANY in who.removeprefix(ANY) or (who.startswith(ANY) and who != ANY and who[1] != "@"):
        raise ValueError("`who` may contain * only alone or directly before an @.")
    return who, None


def _scope(document: object) -> tuple[Scope, tuple[tuple[str, str], ...]]:
    """The scope, and which kinds of IDs are taken from which claims of a person."""
    given = document if isinstance(document, dict) else {}
    claimed = {kind: ids["claim"] for kind, ids in given.items() if _is_claim(ids)}
    if not claimed:
        return read_scope(document), ()
    # Claims are checked as if they named no IDs, so that `all` excludes them, too.
    return read_ids({kind: [] if kind in claimed else ids for kind, ids in given.items()}), tuple(
        claimed.items()
    )


def _is_claim(ids: Any) -> bool:
    return isinstance(ids, dict) and ids.keys() == {"claim"} and isinstance(ids["claim"], str)


def _texts(values: object, where: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(one, str) and one for one in values):
        raise ValueError(f"`{where}` must be text.")
    return tuple(values)
