"""Requests in no known shape: what was asked is shown, what is private is not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stored_rows import choice, every_row, made
from tracelib.conversation import Message, Part, transcript
from tracelib.conversation.bodies.unknown_shapes import OWN_FIELDS, is_private
from tracelib.conversation.notes import UNREADABLE

# What LiteLLM puts into a body beside what the client sent.
ADDED = {
    "metadata": {
        "user_api_key": "hash-of-a-key",
        "user_api_key_auth": {"api_key": "hash-of-a-key", "user_email": "ada@example.org"},
        "headers": {"authorization": "Bearer of-a-secret", "x-forwarded-for": "10.1.2.3"},
        "requester_metadata": {"note": "of the client"},
    },
    "litellm_metadata": {"user_api_key": "hash-of-a-key"},
    "proxy_server_request": {"headers": {"cookie": "of-a-secret"}, "body": {"text": "again"}},
    "secret_fields": {"raw_headers": {"authorization": "Bearer of-a-secret"}},
    "litellm_call_id": "6f1d2f0e",
    "litellm_session_id": "s-1",
    "_litellm_addressed_response_id": "resp_0",
    "user_api_key_user_id": "ada",
    "user": "ada@example.org",
    "api_key": "sk-of-a-secret",
    "api_base": "https://internal.example.org",
    "aws_secret_access_key": "of-a-secret",
    "request_timeout": 600,
    "model": "own-model",
    "temperature": 0.5,
}
SECRETS = ("hash-of-a-key", "of-a-secret", "ada@", "10.1.2.3", "internal.example", "of the client")


def asked_of(body: object) -> tuple[Message, ...]:
    (turn,) = transcript([made(body, choice("yes"), call_type="pass_through_endpoint")]).turns
    return turn.new_messages


def test_fields_of_an_unknown_request_are_shown_without_what_litellm_added():
    sent = {"inputs_of_mine": {"sequence": "MKTAYIAK", "task": "fold it"}, "steps": 4}
    (message,) = asked_of(ADDED | sent)
    (part,) = message.parts
    assert (message.role, part.kind, part.is_json) == ("user", "data", True)
    assert json.loads(part.text) == sent


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"text_of_mine": "hi", "apiKey": "abc"}, {"text_of_mine": "hi", "apiKey": "[hidden]"}),
        (
            {"q": [{"say": "hi", "user_email": "a"}]},
            {"q": [{"say": "hi", "user_email": "[hidden]"}]},
        ),
        ({"say": "hi", "to": "ada@example.org"}, {"say": "hi", "to": "[hidden]"}),
        ({"say": "hi", "from": "192.168.1.7"}, {"say": "hi", "from": "[hidden]"}),
        ({"say": "hi", "with": "Bearer abc"}, {"say": "hi", "with": "[hidden]"}),
        ({"say": "hi", "with": "sk-1"}, {"say": "hi", "with": "[hidden]"}),
        ({"say": "hi", "with": "0" * 64}, {"say": "hi", "with": "[hidden]"}),
        ({"say": "write to ada@example.org"}, {"say": "write to [e-mail]"}),
        (
            {"say": "hi", "request_headers": {"a": "b"}},
            {"say": "hi", "request_headers": "[hidden]"},
        ),
        ({"say": "hi", "ada@example.org": 1}, {"say": "hi", "[hidden]": 1}),
    ],
)
def test_what_looks_private_is_hidden_in_names_and_in_values(sent, shown):
    ((part,),) = [message.parts for message in asked_of(sent)]
    assert json.loads(part.text) == shown


@pytest.mark.parametrize(
    "body",
    [
        {"secret": "sk-1"},
        {"nested": {"deep": [{"password": "x"}]}},
        '{"secret": "sk-1", "cut',
        ["sk-1"],
        [{"secret": "sk-1"}],
    ],
)
def test_where_nothing_may_be_shown_a_note_says_so(body):
    (turn,) = transcript([made(body, choice("yes"))]).turns
    assert (turn.new_messages, turn.notes) == ((), (UNREADABLE,))


@pytest.mark.parametrize("body", [ADDED, {}, {"model": "m", "n": 1, "stream": True}])
def test_a_body_of_nothing_but_settings_and_what_was_added_is_no_unreadable_one(body):
    (turn,) = transcript([made(body, choice("yes"))]).turns
    assert turn.new_messages == ()
    assert UNREADABLE not in turn.notes


def test_a_body_that_is_an_array_or_a_text_is_shown():
    (message,) = asked_of([{"Text": "Guten Tag"}, "good day"])
    assert json.loads(message.parts[0].text) == [{"Text": "Guten Tag"}, "good day"]
    assert asked_of("plain words") == (Message("user", (Part("data", "plain words"),)),)


def test_of_a_known_shape_only_its_own_fields_are_shown():
    body = ADDED | {"messages": [{"role": "user", "content": "hi"}], "custom": {"say": "more"}}
    assert asked_of(body) == (Message("user", (Part("text", "hi"),)),)


@given(st.sampled_from(["", "x", "messages", "text"]), st.sampled_from(sorted(OWN_FIELDS)))
def test_no_secret_of_litellm_is_ever_shown(known, own):
    body = ADDED | {own: {"api_key": "of-a-secret", "text": "of the client"}, known: "hello"}
    shown = repr([(message.role, message.parts) for message in asked_of(body)])
    assert [secret for secret in SECRETS if secret in shown] == []


def test_names_of_secrets_are_known_in_every_spelling():
    private = ["apiKey", "api-key", "API_KEY", "xApiKey", "accessToken", "userEmail", "client_ip"]
    assert [name for name in private if not is_private(name)] == []
    public = ["max_tokens", "keyword", "tokens", "prompt", "monkey", "author", "emails_sent"]
    assert [name for name in public if is_private(name)] == []


def test_no_true_row_is_shown_as_unknown():
    for name, row in every_row():
        (turn,) = transcript([row]).turns
        data = [
            part for message in turn.new_messages for part in message.parts if part.kind == "data"
        ]
        assert data == [] or "batch" in name, name
