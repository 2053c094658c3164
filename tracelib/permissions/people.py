"""Who may see what: a list of people, or of claims of a directory, with their access.

The list is JSON. The first entry that matches a person counts:

    [{"who": "ada@example.com", "role": "admin", "scope": {"all": true}},
     {"who": {"claim": "groups", "value": "platform"}, "role": "auditor",
      "scope": {"teams": ["team-1"], "users": [], "keys": []}},
     {"who": "*@example.com", "role": "viewer", "scope": {"users": {"claim": "sub"}}}]
"""

import json
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import AfterValidator, ValidationError

from tracelib.permissions.access import (
    ROLE_SENTENCE,
    SCOPE_SENTENCES,
    Access,
    Document,
    PersonScope,
    Role,
    Scope,
    complaint,
)

ANY = "*"
FIELDS_SENTENCE = "must have exactly `who`, `role` and `scope`."
SENTENCES = SCOPE_SENTENCES | {
    **dict.fromkeys(
        ("", "unknown", "who.missing", "role.missing", "scope.missing"), FIELDS_SENTENCE
    ),
    "role": ROLE_SENTENCE,
    "who": "`who` must be text.",
}
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


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _pattern(who: str) -> str:
    if ANY in who.removeprefix(ANY) or (who.startswith(ANY) and who != ANY and who[1] != "@"):
        raise ValueError("`who` may contain * only alone or directly before an @.")
    return who


Text = Annotated[str, AfterValidator(_text)]


class PersonClaim(Document):
    """What the directory states of the people whom an entry matches."""

    claim: Text
    value: Text


class PersonDocument(Document):
    """An entry of the list, as JSON."""

    role: Role
    scope: PersonScope
    who: Annotated[Text, AfterValidator(_pattern)] | PersonClaim


def access_of(person: Person, listed: tuple[Listed, ...]) -> Access | None:
    """What may this person see? None if no entry matches: nothing at all."""
    return next((_granted(one, person) for one in listed if _fits(one, person)), None)


def claims_of(listed: Iterable[Listed]) -> set[str]:
    """The names of all claims that these entries read."""
    listed = tuple(listed)
    matched = {one.claim[0] for one in listed if one.claim}
    return matched | {claim for one in listed for _, claim in one.claimed}


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
    try:
        one = PersonDocument.model_validate(entry)
    except ValidationError as error:
        raise ValueError(f"entry {place}: {complaint(error, SENTENCES)}") from None
    access = Access(one.scope.listed(), one.role)
    if isinstance(one.who, PersonClaim):
        return Listed(access, None, (one.who.claim, one.who.value), one.scope.claimed())
    return Listed(access, one.who, None, one.scope.claimed())
