"""That private data is found in text and masked, and nothing else is."""

import json
import re
from collections import Counter

import pytest

from benchmarks.masking import CASES
from tests.rows import DATA, FILES
from tracelib.redaction import ALL, KINDS, NONE, OwnPattern, Redaction, masked, read_own_patterns

EMPLOYEE = OwnPattern("employee", "EMP-[0-9]{5}")
WEB_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9Pl"
BASE64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n" * 3
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BASE64}-----END RSA PRIVATE KEY-----"


def text_of(text: str, redaction: Redaction = ALL) -> str:
    return masked(text, redaction)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [pytest.param(case.text, case.masked, id=case.kind) for case in CASES],
)
def test_a_case_is_masked_as_it_should_be(text, expected):
    assert text_of(text) == expected


def test_the_count_of_each_kind_is_that_of_its_placeholders():
    for case in CASES:
        placeholders = re.findall(r"\[(e-mail|key|card|phone|iban|ssn)\]", case.masked)
        assert masked(case.text, ALL)[1] == Counter(placeholders)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to ada.lovelace+ci@mail.example.co.uk.", "write to [e-mail]."),
        ("<ada@example.org>,bo@example.org", "<[e-mail]>,[e-mail]"),
        ("mailto:ada@example.org?subject=x", "mailto:[e-mail]?subject=x"),
        ("user=ada%40example.org&x=1", "user=[e-mail]&x=1"),
        ("zoë@bücher.example", "[e-mail]"),
        (r'{"text": "hello\nada@example.org\"}', r'{"text": "hello\n[e-mail]\"}'),
        (r"\u003cada@example.org\u003e", r"\u003c[e-mail]\u003e"),
        (r"CORP\ada@example.org", r"CORP\[e-mail]"),
        ("ada@example.org.2 and ada@y.org.uk", "[e-mail].2 and [e-mail]"),
    ],
)
def test_an_e_mail_address_is_masked(text, expected):
    assert text_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "react@18.2.0, lodash@4.17.x, actions/checkout@v4, python@3.11",
        "@app.route('/'), @ada, a@b, user@localhost, 3 @ 4.50",
    ],
)
def test_an_at_sign_alone_makes_no_address(text):
    assert masked(text, ALL) == (text, {})


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-" + "aB3_" * 30,
        "sk-" + "aB3d" * 12,
        "sk-ant-api03-" + "aB3-" * 22 + "AA",
        "sk-or-v1-" + "0a1b" * 16,
        "sk-x4Tq9LmZ0aPw7Rv2Kd8Yhg",
        "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "aB3d" * 9,
        "github_pat_11" + "aB3d" * 20,
        "glpat-" + "aB3d" * 5,
        "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
        "xoxb-123456789012-123456789012-aBcDeFgHiJkLmNoPqRsTuVwX",
        "hf_" + "aBcDeFgHiJ" * 4,
        "gsk_" + "aB3d" * 13,
        WEB_TOKEN,
        PEM,
        PEM.replace("\n", "\\n"),
        PEM.replace("RSA ", ""),
    ],
    ids=lambda key: key[:12],
)
def test_a_key_with_a_known_prefix_or_shape_is_masked(key):
    assert text_of(f"use {key}, please") == "use [key], please"
    assert text_of(f'{{"text": "use:\\n{key}"}}') == '{"text": "use:\\n[key]"}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc1", "Authorization: Bearer [key]"),
        ('"authorization": "Basic dXNlcjpwdw=="', '"authorization": "Basic [key]"'),
        ("curl -H 'X-Api-Key: 1f3870be274f6c49'", "curl -H 'X-Api-Key: [key]'"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG+b", "aws_secret_access_key = [key]"),
        ("ACCESS_TOKEN=1/fFAGRNJru1FTz70BzhT3Zg", "ACCESS_TOKEN=[key]"),
        (r"{\"api_key\": \"1f3870be274f6c49\"}", r"{\"api_key\": \"[key]\"}"),
        ('"user_api_key_hash": "88dc28d0f030c55ed4ab77ed"', '"user_api_key_hash": "[key]"'),
        ('"password": "hunter2"', '"password": "[key]"'),
        ("password='open-sesame'", "password='[key]'"),
        ("postgresql://ada:s3cret@db:5432/x", "postgresql://ada:[key]@db:5432/x"),
        ("bearer 1f3870be274f6c49b3e31a0c", "bearer [key]"),
    ],
)
def test_a_secret_is_found_by_its_name(text, expected):
    assert text_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens: 4096, total_tokens=123456789012, token: the, tokens: completion_tokens",
        "import sklearn; sk-learn-compatible-estimator; task-1234567890123456789",
        "the bearer of this letter, password: required, api_key=None, secret: ${SECRET}",
        "sha 9b74c9897bac770ffc029102a200c5de, id 5e551011-0000-4000-8000-000000000001",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "chatcmpl-BxK2vQ9YzA1b2C3d4E5f6G7h8I9j, call_a1B2c3D4e5F6g7H8i9J0k1L2",
    ],
)
def test_what_resembles_a_secret_is_kept(text):
    assert masked(text, ALL) == (text, {})


def test_a_private_key_that_is_cut_off_is_masked_as_far_as_it_goes():
    text = f"-----BEGIN PRIVATE KEY-----\n{BASE64[:150]} … cut. The rest is prose."
    assert text_of(text) == "[key] … cut. The rest is prose."


@pytest.mark.parametrize(
    "card",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "6011111111111117",
        "3530111333300000",
    ],
)
def test_a_card_number_is_masked(card):
    assert text_of(f"card {card}, 12/29 123") == "card [card], 12/29 123"
    assert text_of(f"{card} 12/29") == "[card] 12/29"


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112, 1732620000000, 1111111111111117",
        "0.4111111111111111, [0.5555555555554444]",
        "a4111111111111111, 4111111111111111f, 41111111111111111111",
        "4111 1111-1111 1111",
    ],
)
def test_other_numbers_are_not_masked_as_cards(text):
    assert masked(text, ALL) == (text, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call +49 30 1234567, 2024-01-01", "call [phone], 2024-01-01"),
        ("+33 6 12 34 56 78, +33 6 12 34 56 79", "[phone], [phone]"),
        ("tel:+14155550132", "tel:[phone]"),
        ("+44 (0)20 7946 0958", "[phone]"),
        ("0049 30 1234567", "[phone]"),
        ("(415) 555-0132 or 415-555-0132 or 1-415-555-0132", "[phone] or [phone] or [phone]"),
        ('"phone_number": "030/1234567"', '"phone_number": "[phone]"'),
        ("Tel. 06 12 34 56 78.", "Tel. [phone]."),
    ],
)
def test_a_telephone_number_is_masked(text, expected):
    assert text_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "1732620000, 2026-11-23 09:00:00, 3.14159265, 192.168.100.200, 12345678",
        "+1234567890, x+4930123456, -12 34 56 78, 1 234 567 890, v1.2.3-20240101",
        "[0.123, 0.456, 0.789], 100-200-3000, 123-456-7890, page 12-34-56",
        "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9, phone: 12, +1 (see above)",
    ],
)
def test_other_numbers_are_not_masked_as_telephone_numbers(text):
    assert masked(text, ALL) == (text, {})


def test_nothing_is_masked_in_true_rows_but_the_e_mail_addresses_and_keys_in_them():
    """True rows hold ids, times, counts, vectors and code. Their keys are named as such."""
    found = dict.fromkeys(KINDS, 0)
    for file in FILES:
        for line in (DATA / file).read_text().splitlines():
            for body in ("response", "messages", "proxy_server_request"):
                counts = masked(json.loads(line)[body] or "", ALL)[1]
                found |= {kind: found[kind] + counts[kind] for kind in KINDS}
    assert found["card"] == found["phone"] == found["iban"] == found["ssn"] == 0
    assert found["e-mail"] > 0


def test_finds_of_own_patterns_are_replaced_by_their_names():
    redaction = Redaction(frozenset({"e-mail"}), (EMPLOYEE, OwnPattern("own 1", "(?i)zürich")))
    text, counts = masked("EMP-12345 of ZÜRICH, ada@example.org, +49 30 1234567", redaction)
    assert text == "[employee] of [own 1], [e-mail], +49 30 1234567"
    assert counts == {"employee": 1, "own 1": 1, "e-mail": 1}
    assert redaction.names() == ("e-mail", "employee", "own 1")


def test_overlapping_finds_are_all_masked_under_the_name_of_the_longest():
    whole = Redaction(frozenset(KINDS), (OwnPattern("line", ".+"),))
    assert masked("key ada@example.org\nnext", whole) == ("[line]\n[line]", {"line": 2})
    part = Redaction(frozenset({"e-mail"}), (OwnPattern("site", r"example\.org/\w+"),))
    assert text_of("ada@example.org/home", part) == "[e-mail][site]"


def test_text_beside_a_placeholder_is_masked_too():
    greedy = Redaction(own=(OwnPattern("word", r"\S+"),))
    assert text_of("secret[key]text [word]", greedy) == "[word][key][word] [word]"


def test_what_a_replacement_exposes_is_masked_too():
    joined = Redaction(frozenset({"card"}), (OwnPattern("mark", "X"),))
    assert text_of("X4111111111111111", joined) == "[mark][card]"


def test_only_the_chosen_kinds_are_masked():
    text = "ada@example.org 4111111111111111"
    assert masked(text, NONE) == (text, {})
    assert text_of(text, Redaction(frozenset({"card"}))) == "ada@example.org [card]"
    assert masked("", ALL) == ("", {})


def test_lone_surrogates_are_kept_and_hide_nothing():
    words = Redaction(own=(OwnPattern("word", r"\S+"),))
    assert text_of("\ud800a \udfff", words) == "[word] [word]"
    assert text_of("password: \ud800hunter2é, x") == "password: [key], x"
    own = Redaction(frozenset(KINDS), (EMPLOYEE,))
    assert (
        text_of("\ud800 EMP-12345 \udfff ada@example.org", own)
        == "\ud800 [employee] \udfff [e-mail]"
    )


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("EMP", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('"EMP"', "must be a list"),
        ('["("]', "pattern 'own 1' is not a valid regular expression"),
        ('["(?<=a)b"]', "RE2"),
        ('["a", 7]', "pattern 'own 2' must be text"),
        ('{"": "a"}', "pattern ''"),
        ('{"e-mail": "a"}', "not be one of e-mail, key, card, phone"),
        ('{"a]": "a"}', "pattern 'a]'"),
        (json.dumps(["a"] * 51), "more than 50"),
        (json.dumps(["a" * 1_001]), "1 to 1000 characters"),
        (r'["\ud800"]', "not a valid regular expression"),
    ],
    ids=lambda value: value[:20],
)
def test_a_setting_that_holds_no_patterns_is_refused_with_a_reason(written, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        read_own_patterns(written)


def test_an_empty_setting_holds_no_patterns():
    assert read_own_patterns("[]") == read_own_patterns("{}") == ()
