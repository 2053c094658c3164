"""What holds for masking whatever the text: it is final, keeps JSON, and takes linear time."""

import json
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.masking import CASES
from tracelib.redaction import KINDS, OwnPattern, Redaction, masked

# The first example loads the telephone plans of all countries.
patient = settings(deadline=None)

EVERYTHING = Redaction(frozenset(KINDS), (OwnPattern("employee", "EMP-[0-9]{5}"),))
GREEDY = Redaction(frozenset(KINDS), (OwnPattern("word", r"\S+"),))

# A text with a secret in it, and the secret.
PLANTED = [
    ("ada@example.org", "ada@example.org"),
    ("почта@пример.рф", "почта@пример.рф"),
    ("sk-proj-aB3dE5fG7hI9jK1l", "aB3dE5fG7hI9jK1l"),
    ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("exa_0123456789abcdef0123456789abcdef", "0123456789abcdef"),
    ("4111111111111111", "4111111111111111"),
    ("+49 30 1234567", "30 1234567"),
    ("DE89 3704 0044 0532 0130 00", "0532 0130"),
    ("SSN 123-45-6789", "123-45-6789"),
    ("EMP-12345", "12345"),
    ("password: hunter2", "hunter2"),
    ("DB_PASS=s3cretValue99", "s3cretValue99"),
    ("Authorization: Bearer abc123", "abc123"),
    ("postgres://ada:s3cret@db/x", "s3cret"),
    ("deploy --token abc123def456", "abc123def456"),
    ("Cookie: session=ZZcookie01", "ZZcookie01"),
]
separators = st.text(alphabet=" \n\t,;()<>|，。谢", min_size=1, max_size=3)
# A name before an opening bracket is a call, not a password.
endings = st.text(alphabet=" \n\t,;)<>|，。谢", min_size=1, max_size=3)
words = st.text(alphabet="abcxyz \n,.;:()[]{}\"'\\/=-_é😀谢", max_size=20)
planted = st.sampled_from(PLANTED)
fragments = st.one_of(
    words,
    st.text(max_size=8),
    st.sampled_from(
        ["[key]", "[e-mail]", '"', "\\", "\ud800", "\\u0040", "{", "[", "password", "="]
    ),
    planted.map(lambda one: one[0]),
    st.sampled_from([case.text for case in CASES]),
)
texts = st.lists(fragments, max_size=8).map("".join)


@patient
@given(texts, st.sampled_from([EVERYTHING, GREEDY]))
def test_masking_twice_equals_masking_once(text, redaction):
    once, _ = masked(text, redaction)
    assert masked(once, redaction) == (once, {})


@patient
@given(texts)
def test_a_text_is_changed_exactly_if_something_is_found(text):
    masked_text, counts = masked(text, EVERYTHING)
    assert (masked_text == text) == (not counts)


@patient
@given(st.text(alphabet="abcdefghij éш谢\n.,!?-()", max_size=200))
def test_a_text_of_words_is_unchanged(text):
    assert masked(text, EVERYTHING) == (text, {})


@patient
@given(st.text(alphabet=st.characters(), max_size=60))
def test_no_text_is_refused(text):
    masked_text, _ = masked(text, EVERYTHING)
    assert isinstance(masked_text, str)


@patient
@given(
    st.lists(st.tuples(words, separators, planted, endings), min_size=1, max_size=4),
    st.integers(0, 3),
)
def test_a_planted_secret_is_masked_in_text_and_in_json_of_any_depth(parts, depth):
    text = "".join(f"{word} {left}{secret[0]}{right}" for word, left, secret, right in parts)
    for _ in range(depth):
        text = json.dumps({"text": text, "n": 1}, ensure_ascii=depth % 2 == 0)
    masked_text, _ = masked(text, EVERYTHING)
    while depth:
        masked_text = json.loads(masked_text)["text"]
        depth -= 1
    assert [secret for _, _, (_, secret), _ in parts if secret in masked_text] == []


# Values of JSON, each with what it is when masked.
leaves = st.one_of(
    st.sampled_from(
        [
            (4111111111111111, "[card]"),
            ("4111111111111111", "[card]"),
            ('"ada@example.org"', '"[e-mail]"'),
            ("a\n\té ada@example.org\\", "a\n\té [e-mail]\\"),
            ("\ud800 ada@example.org", "\ud800 [e-mail]"),
            (1732620000, 1732620000),
            (-1.5e-3, -1.5e-3),
            ("plain \u2028 😀", "plain \u2028 😀"),
            *((one, one) for one in (None, True, False, "", 0)),
        ]
    ),
    st.text(alphabet='ab"\\ é\n{}[],:', max_size=8).map(lambda text: (text, text)),
)
names = st.sampled_from(["a", "b c", "é", '"', "{"])


def lists_and_objects(children):
    return st.one_of(
        st.lists(children, max_size=3).map(
            lambda ones: tuple(map(list, zip(*ones, strict=True))) or ([], [])
        ),
        st.dictionaries(names, children, max_size=3).map(
            lambda one: tuple({name: pair[side] for name, pair in one.items()} for side in (0, 1))
        ),
        children.map(lambda one: tuple(json.dumps({"inner": value}) for value in one)),
    )


documents = st.recursive(leaves, lists_and_objects, max_leaves=12).map(
    lambda one: ({"value": one[0]}, {"value": one[1]})
)


@patient
@given(documents, st.booleans(), st.sampled_from([None, 1]))
def test_json_stays_the_same_json_but_for_what_is_masked(document, is_ascii, indent):
    value, expected = document
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    assert json.loads(masked(text, EVERYTHING)[0]) == expected
    around = masked(f"before {text}\nafter", EVERYTHING)[0]
    assert json.loads(around.removeprefix("before ").removesuffix("\nafter")) == expected


@patient
@given(documents, documents)
def test_an_own_pattern_that_takes_all_leaves_json_json(first, second):
    text = json.dumps([first[0], second[0]])
    assert isinstance(json.loads(masked(text, GREEDY)[0]), list)


def test_a_lone_surrogate_in_json_stays_an_escape():
    text = r'{"a": "é\ud800 ada@example.org"}'
    assert masked(text, EVERYTHING)[0] == r'{"a": "\u00e9\ud800 [e-mail]"}'


def test_brackets_of_json_are_never_replaced():
    assert masked('"[[1.5]]"', GREEDY)[0] == r'"[[\"[word]\"]]"'


def test_json_is_read_however_deep_it_is_nested():
    deep = "[" * 5_000 + "4111111111111111" + "]" * 5_000
    assert masked(deep, EVERYTHING)[0] == deep.replace("4111111111111111", '"[card]"')


@pytest.mark.parametrize(
    "text",
    [
        '{"card": 4111111111111111',
        '{"card": 4111111111111111,}',
        "{'card': 4111111111111111}",
        '{"card" 4111111111111111}',
        '["a" "b", 4111111111111111]',
        '{"a": 01, "card": 4111111111111111}',
        '{"a": "\n", "card": 4111111111111111}',
    ],
)
def test_what_is_no_json_is_masked_as_text(text):
    assert masked(text, EVERYTHING)[0] == text.replace("4111111111111111", "[card]")


UNITS = [
    *("1", "4111 ", "+1 ", "+9 9 9 9 9 9", "a@", "a.", "a@b.", "a%40b.", "a@B.", "@", "用户@例"),
    *("sk-", "sk-1234 ", "eyJ-", "AKIA", "A1" * 20 + " ", "token=", "password: x\n", "key = "),
    *('password="aaaa', "password for a is ", "://a:b", "\\n", "-----BEGIN PRIVATE KEY-----", "-"),
    *("(", "tel ", "020 7946 ", "GB82 WEST ", "123-45-6789 ", "cookie: a=", "curl -u ", "-p x "),
    *("{", "[", '{"', "[[1,", '{"a":', '{"k":"[1,', '"', '\\"', '"\\\\', '{"a": 1}, ', "[key]"),
]


# What is repeated inside of one whole document.
IN_JSON = ['"a", ', "1, ", '"a\\n", ', '{"b": "c"}, ', r'"{\"d\": 1}", ', "[[]], "]


@pytest.mark.parametrize(
    ("start", "unit", "end"),
    [*(("", unit, "") for unit in UNITS), *(("[", unit, "1]") for unit in IN_JSON)],
)
def test_time_grows_as_the_text_does(start, unit, end):
    """Not how fast, but that 8 times the text takes nothing like 64 times the time."""

    def seconds(length: int) -> float:
        text = start + unit * (length // len(unit)) + end
        return min(seconds_once(text) for _ in range(3))

    assert seconds(80_000) < 32 * max(seconds(10_000), 0.002)


def seconds_once(text: str) -> float:
    began = process_time()
    masked(text, EVERYTHING)
    return process_time() - began
