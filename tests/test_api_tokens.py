"""That the tokens of the API are read as they were meant, and a mistake among them is named."""

import hashlib
import json

import pytest

from tracelib import errors
from tracelib.permissions.access import EVERYONE, Access, Scope
from tracelib.permissions.tokens import Token
from tracelib.settings import Settings, read_settings

SECRET = "a-long-secret"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()
OTHER = hashlib.sha256(b"another").hexdigest()
PLAIN = {"name": "ci", "sha256": DIGEST, "scope": {"all": True}}


def read(written: object) -> tuple[Token, ...]:
    value = written if isinstance(written, str) else json.dumps(written)
    return read_settings({"TRACELIB_API_TOKENS": value}).api_tokens


def test_a_token_that_says_nothing_more_is_an_auditor_of_all():
    digest = bytes.fromhex(DIGEST)
    assert read([PLAIN]) == (Token("ci", digest, Access(EVERYONE, "auditor")),)


def test_a_token_may_see_some_teams_users_and_keys():
    scope = {"teams": ["b", "a"], "users": ["u"], "keys": ["k"]}
    [token] = read([PLAIN | {"scope": scope, "role": "viewer", "sha256": DIGEST.upper()}])
    assert token.access == Access(Scope(teams=("a", "b"), users=("u",), keys=("k",)), "viewer")
    assert token.sha256.hex() == DIGEST


def test_the_tokens_may_be_in_a_file_and_who_is_taken_out_of_it_is_out(tmp_path):
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps([PLAIN, PLAIN | {"name": "old", "sha256": OTHER}]))
    assert [token.name for token in read(str(path))] == ["ci", "old"]
    path.write_text(json.dumps([PLAIN]))
    assert [token.name for token in read(str(path))] == ["ci"]


def test_without_the_setting_there_is_no_token():
    assert read_settings({"TRACELIB_API_TOKENS": " "}).api_tokens == ()


def test_a_digest_is_in_no_text_of_the_settings():
    settings = Settings(api_tokens=read([PLAIN]))
    assert DIGEST not in repr(settings)
    assert repr(bytes.fromhex(DIGEST)) not in repr(settings)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("[{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("{}", "list"),
        ([], "list"),
        ([PLAIN] * 201, "list"),
        ("/no/such/file", "the path of a readable file"),
        ("/", "the path of a readable file"),
        ("x\0y", "the path of a readable file"),
        ("x" * 5_000, "the path of a readable file"),
        (["ci"], "token 1: must be a JSON object"),
        ([PLAIN | {"name": ""}], "token 1: `name`"),
        ([PLAIN | {"name": "a\nb"}], "token 1: `name`"),
        ([PLAIN | {"name": 7}], "token 1: `name`"),
        ([PLAIN | {"name": "x" * 61}], "token 1: `name`"),
        ([PLAIN | {"sha": DIGEST}], "'sha'"),
        ([PLAIN | {"sha256": SECRET}], "64 hexadecimal digits"),
        ([PLAIN | {"sha256": DIGEST[:-1]}], "64 hexadecimal digits"),
        ([PLAIN | {"sha256": DIGEST[:-1] + "g"}], "64 hexadecimal digits"),
        ([PLAIN | {"sha256": None}], "64 hexadecimal digits"),
        ([{"name": "ci", "sha256": DIGEST}], "scope"),
        ([PLAIN | {"scope": {}}], "scope"),
        ([PLAIN | {"scope": []}], "scope"),
        ([PLAIN | {"scope": {"all": False}}], 'must be {"all": true}'),
        ([PLAIN | {"scope": {"all": True, "teams": ["a"]}}], 'must be {"all": true}'),
        ([PLAIN | {"scope": {"team": ["a"]}}], "'team'"),
        ([PLAIN | {"scope": {"teams": []}}], "`scope` is empty"),
        ([PLAIN | {"scope": {"teams": "a"}}], "teams"),
        ([PLAIN | {"scope": {"users": [""]}}], "users"),
        ([PLAIN | {"scope": {"keys": ["k", 7]}}], "keys"),
        ([PLAIN | {"scope": {"keys": ["k" * 301]}}], "keys"),
        ([PLAIN | {"scope": {"keys": ["sk-1234"]}}], "the hashes that LiteLLM stores"),
        ([PLAIN | {"role": "owner"}], "viewer, auditor, admin"),
        ([PLAIN | {"role": ["admin"]}], "viewer, auditor, admin"),
        ([PLAIN, PLAIN | {"sha256": OTHER}], "two tokens are named 'ci'"),
        ([PLAIN, PLAIN | {"name": "more"}], "another token has"),
        ([{}], "token 1: `name`"),
        ([None], "token 1: must be a JSON object."),
        ([[PLAIN]], "token 1: must be a JSON object."),
        ([PLAIN, PLAIN | {"name": {"of": SECRET}}], "token 2: `name`"),
        ([{"sha256": DIGEST, "scope": {"all": True}}], "token 1: `name`"),
        ([{"name": "ci", "scope": {"all": True}}], "token 'ci': `sha256`"),
        ([PLAIN | {"sha256": [DIGEST]}], "64 hexadecimal digits"),
        ([PLAIN | {"sha256": DIGEST + "\n"}], "64 hexadecimal digits"),
        ([PLAIN | {"sha256": f" {DIGEST}"}], "64 hexadecimal digits"),
        ([PLAIN | {"digest": SECRET}], "token 'ci': unknown field 'digest'."),
        ([PLAIN | {"scope": None}], 'must be {"all": true}'),
        ([PLAIN | {"scope": SECRET}], 'must be {"all": true}'),
        ([PLAIN | {"scope": {"all": 1}}], 'must be {"all": true}'),
        ([PLAIN | {"scope": {"all": False, "teams": ["a"]}}], 'must be {"all": true}'),
        ([PLAIN | {"scope": {"teams": None}}], "`scope.teams` must be a list"),
        ([PLAIN | {"scope": {"teams": {"claim": "groups"}}}], "`scope.teams` must be a list"),
        ([PLAIN | {"scope": {"users": [["u"]]}}], "`scope.users` must be a list"),
        ([PLAIN | {"scope": {"users": [SECRET, None]}}], "`scope.users` must be a list"),
        ([PLAIN | {"scope": {"keys": ["k"] * 1_001}}], "`scope.keys` must be a list"),
        ([PLAIN | {"role": None}], "viewer, auditor, admin"),
        ([PLAIN | {"role": "Admin"}], "viewer, auditor, admin"),
        ([PLAIN | {"role": {"is": SECRET}}], "viewer, auditor, admin"),
        ([PLAIN | {"scope": {"users": [SECRET * 200_000]}}], "`scope.users` must be a list"),
        ([SECRET * 200_000], "token 1: must be a JSON object."),
        ([[]] * 1_000_000, "must be a list of 1 to 200 tokens."),
    ],
)
def test_a_mistake_is_named_and_no_digest_said(written, complaint):
    with pytest.raises(errors.BadSetting, match=r"TRACELIB_API_TOKENS") as raised:
        read(written)
    assert complaint in raised.value.detail
    assert DIGEST not in raised.value.detail
    assert SECRET not in raised.value.detail


def test_of_a_field_that_is_written_twice_the_last_counts():
    written = (
        f'[{{"role": "admin", "name": "a", "name": "ci", "sha256": "{DIGEST}", "role": "viewer"'
    )
    [token] = read(written + ', "scope": {"all": true}, "scope": {"teams": ["a"]}}]')
    assert (token.name, token.access) == ("ci", Access(Scope(teams=("a",)), "viewer"))


def test_an_id_may_be_of_any_characters():
    [token] = read([PLAIN | {"scope": {"users": ["\ud800", "é ß", "u" * 300]}}])
    assert token.access.scope.users == ("u" * 300, "é ß", "\ud800")
