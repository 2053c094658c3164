"""JSON columns that hold a text in which the JSON is: read like any other, malformed or not."""

import json
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import JSONB

from tests.rows import V1_80, V1_109, real_rows
from tracelib.source.postgres import json_value, whole_number
from tracelib.spendlogs import documents

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(-1e9, 1e9, width=32)
    | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
MALFORMED = (
    "",
    " ",
    "{bad",
    "[1,]",
    "[1 2]",
    "{1: 2}",
    '{"a" 1}',
    '{"a": 1,}',
    '{"a": "\x01"}',
    '{"a": "\\x"}',
    "[01]",
    "[1.]",
    "[+1]",
    "truefalse",
    '"a""b"',
    '{"a": "\\u0000"}',
    '{"a": "\\ud83d"}',
    '{"a": 1e999999}',
    "[" * 20_000,
    "[" * 20_000 + "]" * 20_000,
    '{"a":' * 20_000 + "1" + "}" * 20_000,
)


@pytest.fixture(params=["checked by PostgreSQL", "checked by patterns"])
def read(request, empty_database, monkeypatch):
    """Asks what columns with these stored values hold, as new and as old versions check them."""
    if request.param == "checked by patterns":
        monkeypatch.setattr(documents, "CHECKS_TEXT", (1_000,))
    held = sa.table("documents", sa.column("number"), sa.column("document", JSONB()))
    asked = (
        documents.decoded(held.c.document, "object", "array"),
        documents.decoded_body(held.c.document),
    )
    # Equal statements are compiled once: what is compiled one way must not be asked the other way.
    engine = sa.create_engine(
        empty_database.engine.url,
        execution_options={"compiled_cache": None},
        json_deserializer=json_value,
    )

    def ask(stored: list[str]) -> list[tuple[object, object]]:
        with engine.begin() as connection:
            connection.execute(
                sa.text("CREATE TEMP TABLE documents (number int, document jsonb) ON COMMIT DROP")
            )
            connection.execute(
                sa.text("INSERT INTO documents VALUES (:number, CAST(:document AS jsonb))"),
                [{"number": number, "document": one} for number, one in enumerate(stored)],
            )
            rows = connection.execute(sa.select(*asked).order_by(held.c.number))
            return [tuple(row) for row in rows]

    yield ask
    engine.dispose()


def test_an_object_or_array_is_found_in_a_text_and_as_it_is(read):
    held = [{}, [], {"a": [1, {"b": 'c"d\\'}]}, ["é 😀", None, -0.5e3, True]]
    plain = [json.dumps(one, ensure_ascii=False) for one in held]
    for stored in (plain, [json.dumps(one) for one in plain]):
        assert read(stored) == [(one, one) for one in held]


@pytest.mark.parametrize(
    "text", ['{": null}', '{"a": 1, ": null}', '["]', '[1, "]', '{"a": "}', "{\x01:0}", '["\x01"]']
)
def test_a_quote_without_its_other_one_is_no_string(read, text):
    assert read([json.dumps(text)]) == [(None, text)]


def test_a_number_in_a_text_keeps_all_its_digits(read):
    held = [-16 * 10**23, 0.5]
    assert read(['"[-16e23, 5e-1]"']) == [(held, held)]


def test_other_values_are_just_what_is_stored(read):
    stored = ["null", "1", "true", '"words"', '"7"', '"null"', '"\\"words\\""']
    assert read(stored) == [(None, json.loads(one)) for one in stored]


def test_malformed_text_is_a_text_and_never_an_error(read):
    found = read([json.dumps(one) for one in MALFORMED])
    assert found == [(None, one) for one in MALFORMED]


def test_true_documents_are_read_in_a_text(read):
    columns = ("metadata", "response", "proxy_server_request", "request_tags")
    whole = [json.loads(row[name]) for row in real_rows(V1_109, V1_80) for name in columns]
    stored = [json.dumps(json.dumps(one, ensure_ascii=False)) for one in whole]
    assert [found for found, _ in read(stored)] == [
        one if isinstance(one, dict | list) else None for one in whole
    ]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(VALUES, min_size=1, max_size=20), st.data())
def test_whatever_text_there_is_is_read_or_left_alone(read, values, data):
    """Half of the texts are JSON; a character of each other is another one."""
    texts = [json.dumps(one, ensure_ascii=False) for one in values]
    spoiled = [_spoiled(one, data) for one in texts]
    found = read([json.dumps(one) for one in (*texts, *spoiled)])
    for (structure, body), value in zip(found, values, strict=False):
        assert structure == (value if isinstance(value, dict | list) else None)
        assert body == (
            structure if structure is not None else json.dumps(value, ensure_ascii=False)
        )
    for (structure, body), text in zip(found[len(texts) :], spoiled, strict=True):
        assert body == (text if structure is None else json.loads(text, parse_float=_number))


def _number(written: str) -> float | str:
    """As PostgreSQL has it: -16e23 with all its digits, a whole number, which no float is."""
    number = Decimal(written)
    is_whole = number.as_tuple().exponent >= 0 or number == int(number)
    return whole_number(format(number, ".0f")) if is_whole else float(number)


def _spoiled(text: str, data: st.DataObject) -> str:
    at = data.draw(st.integers(0, len(text) - 1))
    return text[:at] + data.draw(st.sampled_from('{}[]",:0e-\\ tu')) + text[at + 1 :]
