"""The tokens of programs: whose each is, and what it may see."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from tracelib.permissions.access import Access, Role, Scope, read_scope

MOST_TOKENS = 200
NAME = re.compile(r"[\w][\w .-]{0,59}")
DIGEST = re.compile(r"[0-9a-fA-F]{64}")
FIELDS = {"name", "sha256", "scope", "role"}
DEFAULT_ROLE = "auditor"


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
    if not isinstance(value, dict):
        raise ValueError(f"token {number}: must be a JSON object.")
    name = value.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(
            f"token {number}: `name` must be 1 to 60 letters, digits, spaces, dots or hyphens."
        )
    if unknown := value.keys() - FIELDS:
        raise ValueError(f"token {name!r}: unknown field {min(map(str, unknown))[:40]!r}.")
    digest = value.get("sha256")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise ValueError(f"token {name!r}: `sha256` must be 64 hexadecimal digits.")
    return Token(name, bytes.fromhex(digest), Access(_scope(name, value), _role(name, value)))


def _role(name: str, value: Mapping[str, Any]) -> Role:
    role = value.get("role", DEFAULT_ROLE)
    if role not in get_args(Role):
        raise ValueError(f"token {name!r}: `role` must be one of {', '.join(get_args(Role))}.")
    found: Role = role
    return found


def _scope(name: str, value: Mapping[str, Any]) -> Scope:
    try:
        return read_scope(value.get("scope"))
    except ValueError as error:
        raise ValueError(f"token {name!r}: {error}") from None
