"""The tokens of programs: whose each is, and what it may see."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import Field, ValidationError

from tracelib.permissions.access import (
    ROLE_SENTENCE,
    SCOPE_SENTENCES,
    Access,
    Document,
    ProgramScope,
    Role,
    complaint,
)

MOST_TOKENS = 200
NAME = r"^\w[\w .-]{0,59}\Z"
SENTENCES = SCOPE_SENTENCES | {
    "": "must be a JSON object.",
    "unknown": "unknown field {}.",
    "name": "`name` must be 1 to 60 letters, digits, spaces, dots or hyphens.",
    "sha256": "`sha256` must be 64 hexadecimal digits.",
    "role": ROLE_SENTENCE,
}


class TokenDocument(Document):
    """A token in the setting, as JSON."""

    name: str = Field(pattern=NAME)
    sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}\Z")
    scope: ProgramScope
    role: Role = "auditor"


@dataclass(frozen=True, slots=True)
class Token:
    """One program's token: its name, its SHA-256, and what it may see."""

    name: str
    sha256: bytes = field(repr=False)
    access: Access


def read_tokens(text: str) -> tuple[Token, ...]:
    """The tokens in this setting.

    JSON: a list of objects with `name`, `sha256` (hexadecimal, of the token), `scope` (either
    `{"all": true}` or any of `teams`, `users` and `keys`, lists of IDs) and, if it is not an
    auditor's, `role`. Raises ValueError with a sentence, to follow the name of the setting and a
    colon; it never contains a digest.

    >>> [one] = read_tokens('[{"name": "ci", "sha256": "%s", "scope": {"all": true}}]' % ("0" * 64))
    >>> one
    Token(name='ci', access=Access(scope=Scope(is_all=True, teams=(), users=(), keys=()), \
role='auditor'))
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("not valid JSON.") from None
    if not isinstance(value, list) or not 0 < len(value) <= MOST_TOKENS:
        raise ValueError(f"must be a list of 1 to {MOST_TOKENS} tokens.")
    tokens = tuple(_token(number, one) for number, one in enumerate(value, start=1))
    _refuse_twins(tokens)
    return tokens


def _refuse_twins(tokens: Iterable[Token]) -> None:
    names: set[str] = set()
    digests: set[bytes] = set()
    for token in tokens:
        if token.name in names:
            raise ValueError(f"two tokens are named {token.name!r}.")
        if token.sha256 in digests:
            raise ValueError(f"token {token.name!r}: another token has the same `sha256`.")
        names.add(token.name)
        digests.add(token.sha256)


def _token(number: int, value: object) -> Token:
    try:
        one = TokenDocument.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"token {_called(number, value)}: {complaint(error, SENTENCES)}") from None
    return Token(one.name, bytes.fromhex(one.sha256), Access(one.scope.listed(), one.role))


def _called(number: int, value: object) -> str:
    """The name of this token in a sentence, or its number if it has no valid name."""
    name = value.get("name") if isinstance(value, dict) else None
    return repr(name) if isinstance(name, str) and re.match(NAME, name) else str(number)
