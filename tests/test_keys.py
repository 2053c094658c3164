"""What a row holds as its key or its model, and what of that anybody may see."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests import rows
from tests.calling import calls_of, token
from tests.cases import case
from tests.database import Database
from tests.page_words import nodes
from tests.questions import of_a_session, of_a_window, written
from tests.rows import KEY, NOON, _moment, failure, spend_log
from tests.sources import FILTERS, records, source_of
from tracelib import export, facets, models, overview, sessions, status
from tracelib.filters import NONE, Filters
from tracelib.keys import key_identity
from tracelib.permissions.access import Access, Scope
from tracelib.redaction import NONE as REDACTED_NOTHING
from tracelib.selection import Selection, session
from tracelib.sessions import SessionSearch
from tracelib.spendlogs.conditions import shown_key, shown_name
from tracelib.window import TimeWindow

SECRET = "corp-tok-9f3a71x"
# As long as a hash, and none.
LONG_SECRET = "sk-proj-" + "Zz09_-" * 9 + "ab"
SECRETS = (SECRET, LONG_SECRET, "s", "sk-é😀", "a:b", "x" * 5_000, "hashed-0123456789abcdef")
STORED = (
    KEY,
    KEY.upper(),
    "litellm_proxy_master_key",
    "litellm-internal-health-check",
    "litellm-cli",
    f"hashed-jwt-{KEY}",
    "cli-session-ada@example.com",
)
NO_KEYS = ("", "None", "null", "undefined")
CLI_TOKEN = "cli-session-" + "Ab0_-" * 4 + "xy"


def hidden(key: str) -> str:
    return f"hashed-{sha256(key.encode()).hexdigest()[:16]}"


def around(row: dict) -> Filters:
    """The hour that begins with this row."""
    start = _moment(row["startTime"])
    return Filters(TimeWindow(start, start + timedelta(hours=1)))


def owners(source, filters: Filters = FILTERS, dimension: str = "key") -> list[tuple]:
    found = records(overview.cost_by_owner(source, filters))
    return [(one["id"], one["name"]) for one in found if one["dimension"] == dimension]


@pytest.mark.parametrize("key", STORED)
def test_hashes_and_known_names_stay_what_they_are(key):
    assert key_identity(key) == key


@pytest.mark.parametrize("key", NO_KEYS)
def test_nobody_is_nobody(key):
    assert key_identity(key) == ""


@pytest.mark.parametrize("key", [*SECRETS[:-1], CLI_TOKEN, KEY[:-1], f"{KEY}0", f"{KEY}\n", "none"])
def test_anything_else_goes_by_a_hash_of_itself(key):
    assert key_identity(key) == hidden(key)
    assert key_identity(hidden(key)) == hidden(key)


LIKE_KEYS = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=70),
    st.text("0123456789abcdefABCDEF", min_size=63, max_size=65),
    st.builds(
        str.__add__,
        st.sampled_from(["hashed-jwt-", "cli-session-", "hashed-", "litellm-", "sk-", "None", ""]),
        st.text("0123456789abcdef_-\n", max_size=66),
    ),
    st.sampled_from([*STORED, *SECRETS[:-1], CLI_TOKEN, "None", ""]),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(LIKE_KEYS, min_size=1, max_size=30))
def test_the_database_names_keys_just_as_links_do(empty_database, keys):
    """But for a stored key that looks like an identity: it is one of a key that looks so."""
    keys = [key for key in keys if not key.startswith("hashed-") or key_identity(key) != key]
    assume(keys)
    with empty_database.engine.connect() as connection:
        given_keys = sa.values(sa.column("place", sa.Integer()), sa.column("key", sa.Text()))
        data = given_keys.data(list(enumerate(keys))).alias("given")
        asked = sa.select(shown_key(data.c.key)).order_by(data.c.place)
        assert list(connection.execute(asked).scalars()) == [key_identity(key) for key in keys]


def test_a_key_that_is_stored_itself_is_in_no_answer(database):
    made = [
        row
        for number, key in enumerate((*SECRETS, CLI_TOKEN))
        for row in (
            spend_log(api_key=key, session_id=f"s{number}"),
            failure(api_key=key, session_id=f"s{number}", startTime=NOON + timedelta(seconds=1)),
        )
    ]
    source = source_of(database(rows=made))
    secrets = [key for key in (*SECRETS, CLI_TOKEN) if len(key) > 3]
    asked = of_a_window(FILTERS)
    for number, key in enumerate((*SECRETS, CLI_TOKEN)):
        chosen = Selection(hidden(key), (f"s{number}",))
        of_one = of_a_session(chosen, FILTERS)
        assert of_one["summary"](source).requests == 2
        assert len(of_one["turns"](source).turns) == 2
        asked |= {f"{name} of {key}": ask for name, ask in of_one.items()}
    for name, ask in asked.items():
        answer = written(ask(source))
        assert not [key for key in secrets if key in answer], name
    identities = {one for one, _ in owners(source)}
    assert identities == {hidden(key) for key in (*SECRETS, CLI_TOKEN)}


def test_a_secret_in_clear_is_named_counted_filtered_and_opened_by_its_identity(database):
    [row] = case("key-clear")
    filters = around(row)
    source = source_of(database(rows=[row, spend_log(startTime=row["startTime"])]))
    identity = hidden(row["api_key"])
    assert (identity, f"{identity[:15]}…") in owners(source, filters)
    # An old link may hold the key itself.
    for key in (identity, row["api_key"]):
        narrowed = replace(filters, key=(key,))
        assert narrowed.key == (identity,)
        assert overview.totals(source, narrowed).requests == 1
        [listed] = records(sessions.found_sessions(source, narrowed, SessionSearch()).rows)
        assert (listed["api_key"], listed["key_name"]) == (identity, f"{identity[:15]}…")
        assert listed["session_key"] == f"{row['session_id']}:{identity}"
        chosen = session(row["session_id"], key)
        assert chosen.api_key == identity
        assert sessions.summary(source, chosen).requests == 1
    assert row["api_key"] not in repr(narrowed)


def test_nobody_is_not_a_key_called_none(database):
    rows_of_nobody = case("key-none")
    filters = around(rows_of_nobody[0])
    at = rows_of_nobody[0]["startTime"]
    unlike = [key for key in NO_KEYS if key != "None"]
    others = [failure(api_key=key, session_id="h1-key-none", startTime=at) for key in unlike]
    source = source_of(database(rows=[*rows_of_nobody, *others]))
    assert owners(source, filters) == [(None, None)]
    assert [one.id for one in facets.facets(source, filters.window.end).of("key")] == [NONE]
    for none in (NONE, *NO_KEYS):
        assert overview.totals(source, replace(filters, key=(none,))).requests == 6
    assert overview.sessions(source, filters) == overview.SessionCounts(1, 1)
    [listed] = records(sessions.found_sessions(source, filters, SessionSearch()).rows)
    assert (listed["api_key"], listed["key_name"], listed["requests"]) == ("", None, 6)
    [key] = records(sessions.keys_of(source, "h1-key-none"))
    assert (key["api_key"], key["requests"]) == ("", 6)
    for none in NO_KEYS:
        assert sessions.summary(source, session("h1-key-none", none)).requests == 6


def test_a_key_that_was_hashed_twice_stays_what_it_is(database):
    [row] = case("double-hash")
    source = source_of(database(rows=[row]))
    assert owners(source, around(row)) == [(row["api_key"], f"{row['api_key'][:8]}…")]
    assert overview.totals(source, replace(around(row), key=(row["api_key"],))).requests == 1


def test_known_keys_are_shown_by_their_names(database):
    source = source_of(database(rows=[spend_log(api_key=key) for key in STORED]))
    assert dict(owners(source)) == {
        KEY: f"{KEY[:8]}…",
        KEY.upper(): f"{KEY[:8].upper()}…",
        "litellm_proxy_master_key": "master key",
        "litellm-internal-health-check": "health check",
        "litellm-cli": "LiteLLM CLI",
        f"hashed-jwt-{KEY}": f"hashed-jwt-{KEY[:8]}…",
        "cli-session-ada@example.com": "cli-session-ada@example.com",
    }
    for key in STORED:
        assert overview.totals(source, replace(FILTERS, key=(key,))).requests == 1


def test_a_key_filter_is_looked_up_in_the_index_on_keys(database):
    made = database(rows=[spend_log(api_key=f"{number:064x}") for number in range(50)])
    made.execute('CREATE INDEX by_key ON "LiteLLM_SpendLogs" (api_key, "startTime")', "ANALYZE")
    source = source_of(made)
    narrowed = source.requests(replace(FILTERS, key=(f"{7:064x}",)))
    asked = sa.select(narrowed.c.request_id).compile(
        made.engine, compile_kwargs={"literal_binds": True}
    )
    # The table is too small for the planner to prefer an index by itself.
    plan = made.execute("SET enable_seqscan = off", f"EXPLAIN {asked}".replace("%%", "%"))
    (line,) = (line for (line,) in plan if "Index Cond" in line)
    assert "api_key = " in line
    assert "startTime" in line


@pytest.mark.parametrize("typed", [SECRET, SECRET[:8], "sk-proj-", "corp"])
def test_a_search_cannot_guess_a_key_that_is_stored_itself(database, typed):
    source = source_of(database(rows=[spend_log(api_key=key) for key in (SECRET, LONG_SECRET)]))
    search = SessionSearch(text=typed)
    assert sessions.found_sessions(source, FILTERS, search).rows.empty


@pytest.mark.parametrize(
    ("key", "typed"), [(SECRET, hidden(SECRET)[:15]), (KEY, KEY[:6]), (KEY, f"{KEY[:8]}…")]
)
def test_a_search_finds_a_key_by_the_beginning_that_is_shown(database, key, typed):
    source = source_of(database(rows=[spend_log(api_key=one) for one in (SECRET, KEY)]))
    [found] = records(sessions.found_sessions(source, FILTERS, SessionSearch(text=typed)).rows)
    assert found["api_key"] == key_identity(key)


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        ((KEY,), 1),
        ((SECRET,), 2),
        ((hidden(SECRET),), 2),
        ((KEY, SECRET), 3),
        (("None",), 0),
        (("",), 0),
        ((), 0),
    ],
)
def test_a_scope_holds_for_keys_by_their_identity_and_never_for_nobody(database, scope, seen):
    made = [spend_log(api_key=key) for key in (KEY, SECRET, SECRET, "None", "")]
    access = Access(Scope(keys=scope), "admin")
    assert overview.totals(source_of(database(rows=made)).seen_by(access), FILTERS).requests == seen


def test_a_prompt_sent_as_the_model_is_shown_to_nobody(database):
    [row] = case("prompt-in-model")
    filters = around(row)
    assert len(row["model"]) == 6904
    source = source_of(database(rows=[row]))
    digest = sha256(row["model"].encode()).hexdigest()[:16]
    [used] = records(models.usage_by_model(source, filters))
    assert used["model"] == f"long-name-{digest}"
    chosen = session(row["session_id"], row["api_key"])
    for name, ask in (of_a_window(filters) | of_a_session(chosen, filters)).items():
        answer = ask(source)
        if isinstance(answer, pd.DataFrame):
            # What a provider said of the request is a text to be read, and no name.
            answer = answer.drop(columns="error_message", errors="ignore")
        if name not in ("turns", "attempts"):
            assert "You are a helpful bot" not in written(answer), name
    assert overview.totals(source, replace(filters, model=(used["model"],))).requests == 1
    [failed] = records(status.newest_failures(source, filters))
    assert failed["model"] == failed["deployment"] == used["model"]


NAMES = {
    "gpt-4o": True,
    "bedrock/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.claude-v1:0": True,
    "MCP: weather-" + "very_long_name_of_a_tool" * 3: True,
    "GPT-4o for customer support, hosted in Europe": True,
    "x" * 200: True,
    "x" * 201: False,
    "Please tell me what this contract says of notice periods, in short.": False,
    "a\n" * 33: False,
    "é" * 101: False,
}


def test_names_have_a_length_and_long_ones_no_white_space(empty_database):
    with empty_database.engine.connect() as connection:
        for name, is_name in NAMES.items():
            found = connection.execute(sa.select(shown_name(sa.literal(name, sa.Text())))).scalar()
            expected = name if is_name else f"long-name-{sha256(name.encode()).hexdigest()[:16]}"
            assert found == expected
        assert connection.execute(sa.select(shown_name(sa.null().cast(sa.Text())))).scalar() is None


def test_aliases_name_a_key_of_which_nothing_else_is_shown(database):
    about = rows.metadata(user_api_key_alias="Ada's key")
    source = source_of(database(rows=[spend_log(api_key=SECRET, metadata=about)]))
    assert owners(source) == [(hidden(SECRET), "Ada's key")]


def test_an_alias_is_that_of_the_key_and_not_of_another_row_with_the_request_id(database):
    """A partitioned log holds a request id once for each start."""
    other = rows.metadata(user_api_key_alias="Zoe's", user_api_key_team_alias="Zeta")
    own = rows.metadata(user_api_key_alias="Ada's", user_api_key_team_alias="Alpha")
    later = NOON + timedelta(days=2)
    made = [
        spend_log(request_id="r", metadata=own),
        spend_log(request_id="r", api_key="f" * 64, team_id="t", startTime=later, metadata=other),
    ]
    source = source_of(database(rows=made, partitioned=True))
    assert owners(source) == [(KEY, "Ada's")]
    assert owners(source, dimension="team") == [("team-1", "Alpha")]


CLEAR = "sk-proj-4Fq9TzUe7Lm2WvXb81"
PROMPT = "Dear model, our margin for Tuesday is nine per cent. " * 100


@pytest.fixture(scope="module")
def unsafe(server):
    """A log in which a key stands as it is, and a prompt in the place of a model's name."""
    log = Database(server)
    facts = {
        "api_key": CLEAR,
        "session_id": "s",
        "model_group": PROMPT,
        "model": f"openai/{PROMPT}",
    }
    log.insert(
        [
            spend_log(**facts),
            failure(**facts, startTime=NOON + timedelta(seconds=1)),
            failure(**facts | {"session_id": "t"}, startTime=NOON + timedelta(seconds=2)),
        ]
    )
    yield log
    log.drop()


def assert_safe(*sent: object) -> None:
    for text in map(str, sent):
        assert CLEAR not in text
        assert CLEAR[:14] not in text
        assert "our margin" not in text


@pytest.mark.parametrize("page", ["Home", "Overview", "Models", "Sessions", "Status"])
def test_no_page_sends_a_key_or_a_prompt_in_the_place_of_a_name(open_page, unsafe, page):
    """Not in what is drawn, in filters nor in the address, which an old link may bring along."""
    path = "Home.py" if page == "Home" else f"pages/{page}.py"
    for query in ({}, {"key": CLEAR}, {"session": "s", "of": CLEAR}, {"q": "Dear"}):
        app = open_page(path, unsafe.url, range="30d", **query)
        assert not app.exception
        frames = [str(node.proto) for root in app._tree.children.values() for node in nodes(root)]
        assert len(frames) > 10
        drawn = "\n".join(frames)
        assert_safe(drawn)
        if not query and page != "Sessions":
            assert hidden(CLEAR)[:15] in drawn or page == "Home", page


def test_no_program_and_no_file_gets_a_key_or_a_prompt_in_the_place_of_a_name(unsafe):
    source, chosen = source_of(unsafe), session("s", CLEAR)
    day = Filters(TimeWindow(NOON, NOON + timedelta(days=1)))
    api = calls_of(unsafe, token("all"))
    times = {name: getattr(day.window, name).isoformat() for name in ("start", "end")}
    for path in ("analytics/overview", "analytics/models", "failures"):
        assert_safe(api.get(f"/api/v1/{path}", **times))
    assert_safe(api.get("/api/v1/analytics/timeseries", **times))
    found = api.post("/api/v1/sessions/search", **times)
    assert {one["session_id"] for one in found["sessions"]} == {"s", "t"}
    assert_safe(found)
    # A key in a question stands for its identity, and its identity alone comes back.
    for key in (CLEAR, hidden(CLEAR)):
        for path in ("summary", "messages"):
            assert_safe(api.get(f"/api/v1/sessions/s/{path}", key=key))
    document = export.session_document(source, chosen, REDACTED_NOTHING, NOON)
    assert_safe(*export.as_json(document), *export.as_html(document))
    for write in (export.sessions_csv, export.sessions_jsonl):
        pages = export.listed_sessions(source, day, SessionSearch())
        lines = b"".join(write(pages, REDACTED_NOTHING)).decode()
        assert hidden(CLEAR)[:15] in lines
        assert_safe(lines)
