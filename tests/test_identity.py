"""Who looks is known before anything is shown: signed in, vouched for by a proxy, or anyone."""

import json
import urllib.request

import pytest

from tests.browsing import serving
from tests.page_words import plain, words
from tests.rows import spend_log
from tests.visiting import people, signed_in, turned_to, visit
from tracelib import errors
from tracelib.page.base import persons
from tracelib.permissions.access import EVERYONE, Access, Scope
from tracelib.permissions.people import Listed, Person, access_of, claims_of, read_people
from tracelib.querying.installation import installation, log_once
from tracelib.settings import read_settings

NOW = 1_800_000_000
SECRET = "0123456789abcdef0123456789abcdef"
FRESH = {"iat": NOW - 60, "email": "ada@example.com", "name": "Ada"}
HEADER = "X-Forwarded-Email"
GIVEN = {HEADER.lower(): ["ada@example.com"], "x-tracelib-proxy-secret": [SECRET]}
PAGES = ("Home.py", "pages/Overview.py", "pages/Models.py", "pages/Sessions.py", "pages/Status.py")


def entry(who: object = "*", role: object = "viewer", scope: object = None) -> str:
    return json.dumps([{"who": who, "role": role, "scope": scope or {"all": True}}])


# What the list says


def test_the_first_entry_that_fits_counts():
    listed = read_people(
        json.dumps(
            [
                {"who": "ada@example.com", "role": "admin", "scope": {"all": True}},
                {
                    "who": {"claim": "groups", "value": "platform"},
                    "role": "auditor",
                    "scope": {"teams": ["b", "a"], "users": [], "keys": ["k"]},
                },
                {"who": "*@example.com", "role": "viewer", "scope": {"users": {"claim": "sub"}}},
            ]
        )
    )
    in_group = {"groups": ("staff", "platform")}
    assert [
        access_of(Person("Ada@Example.com", claims=in_group), listed),
        access_of(Person("bo@example.com", claims=in_group), listed),
        access_of(Person("cy@example.com", claims={"sub": ("17",)}), listed),
        access_of(Person("cy@example.com"), listed),
        access_of(Person("dan@example.org"), listed),
        access_of(Person(None), listed),
    ] == [
        Access(EVERYONE, "admin"),
        Access(Scope(teams=("a", "b"), keys=("k",)), "auditor"),
        Access(Scope(users=("17",)), "viewer"),
        Access(Scope(), "viewer"),
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("pattern", "who", "fits"),
    [
        ("*", "ada@example.com", True),
        ("*", "", False),
        ("*", None, False),
        ("*@example.com", "ada@EXAMPLE.com", True),
        ("*@example.com", "ada@evil-example.com", False),
        ("*@example.com", "ada@example.com.evil.org", False),
        ("ada@example.com", "ada@example.co", False),
        ("ada@example.com", "bada@example.com", False),
        ("alison@strasse.de", "ali\u017fon@strasse.de", False),
        ("*@strasse.de", "bob@stra\u00dfe.de", False),
        ("*@STRASSE.de", "bob@strasse.DE", True),
    ],
)
def test_whom_an_entry_fits(pattern, who, fits):
    listed = read_people(entry(pattern))
    assert (access_of(Person(who), listed) is not None) is fits


@pytest.mark.parametrize(
    "written",
    [
        "",
        "{}",
        "[]",
        "[1]",
        "[" * 100_000,
        "[{}]",
        json.dumps([{"who": "*", "role": "viewer"}]),
        json.dumps([{"who": "*", "role": "viewer", "scope": {"all": True}, "team": "x"}]),
        entry(role="owner"),
        entry(role=None),
        entry(role=["admin"]),
        entry(who=""),
        entry(who=7),
        entry(who={"claim": "groups"}),
        entry(who={"claim": "groups", "value": 7}),
        entry(who="*example.com"),
        entry(who="ada@*"),
        entry(scope={"all": False}),
        entry(scope={"all": 1}),
        entry(scope={"all": 1.0}),
        entry(scope={"all": True, "teams": ["a"]}),
        entry(scope={"all": True, "teams": {"claim": "groups"}}),
        entry(scope={"team": ["a"]}),
        entry(scope={"team": ["a"], "users": {"claim": "sub"}}),
        entry(scope={"teams": [], "users": []}),
        entry(scope={"keys": ["k"] * 1_001}),
        entry(scope={"teams": "a"}),
        entry(scope={"teams": [1]}),
        entry(scope={"teams": [""]}),
        entry(scope={"teams": {"claim": 1}}),
        entry(scope={"keys": ["sk-1234"]}),
        entry(scope="all"),
        "null",
        '"ada@example.com"',
        "[null]",
        "[[]]",
        '[{"who": "*", "role": "viewer", "scope": {"all": true}}',
        json.dumps([{"who": "*", "role": "viewer", "Scope": {"all": True}}]),
        entry(role="Admin"),
        entry(role={"is": "admin"}),
        entry(who=None),
        entry(who=["ada@example.com"]),
        entry(who={"claim": "", "value": "platform"}),
        entry(who={"claim": "groups", "value": ["platform"]}),
        entry(who={"claim": "groups", "value": "platform", "of": "x"}),
        entry(scope={"all": None}),
        entry(scope={"all": "true"}),
        entry(scope={"all": False, "teams": ["a"]}),
        entry(scope=[{"all": True}]),
        entry(scope={"teams": None}),
        entry(scope={"teams": [["a"]]}),
        entry(scope={"teams": {"claim": "groups", "value": "x"}}),
        entry(scope={"teams": {"claim": None}}),
        entry(scope={"teams": {"claim": ["groups"]}}),
        entry(scope={"keys": ["k", "sk-1234"]}),
        entry(scope={"users": ["u" * 301]}),
        pytest.param(entry(who="x" * 2_000_000, scope={"users": [""]}), id="2 MB of a name"),
        pytest.param(entry(scope={"users": ["u" * 2_000_000]}), id="2 MB of an ID"),
    ],
)
def test_a_list_that_is_none_is_refused_in_a_sentence(written):
    with pytest.raises(ValueError, match=r"^(not valid JSON: |must be |entry 1: ).*\.$"):
        read_people(written)


SHAPE_OF_A_SCOPE = '`scope` must be {"all": true}, or contain `teams`, `users` or `keys`.'


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{}", "must be a JSON list with at least one entry."),
        ("[1]", "entry 1: must have exactly `who`, `role` and `scope`."),
        ("[{}]", "entry 1: must have exactly `who`, `role` and `scope`."),
        (entry(role="owner"), "entry 1: `role` must be one of viewer, auditor, admin."),
        (entry(who=7), "entry 1: `who` must be text."),
        (entry(who="a*"), "entry 1: `who` may contain * only alone or directly before an @."),
        (entry(scope=7), f"entry 1: {SHAPE_OF_A_SCOPE}"),
        (entry(scope={"all": 1}), f"entry 1: {SHAPE_OF_A_SCOPE}"),
        (entry(scope={"team": ["a"]}), "entry 1: `scope` has the unknown field 'team'."),
        (entry(scope={"t" * 90: 1}), f"entry 1: `scope` has the unknown field '{'t' * 40}'."),
        (entry(scope={"users": "a"}), "entry 1: `scope.users` must be a list of at most 1000 IDs."),
        (
            entry(scope={"teams": []}),
            "entry 1: `scope` is empty: it needs at least one team, user or key.",
        ),
        (
            entry(scope={"keys": ["sk-1"]}),
            "entry 1: `scope.keys` must be the hashes that LiteLLM stores, "
            "not the keys themselves.",
        ),
    ],
)
def test_each_mistake_in_the_list_has_its_sentence(written, sentence):
    with pytest.raises(ValueError, match=r"\.$") as refused:
        read_people(written)
    assert (str(refused.value), refused.value.__cause__) == (sentence, None)
    assert refused.value.__suppress_context__ or not refused.value.__context__


def test_of_a_field_that_is_written_twice_the_last_counts():
    (listed,) = read_people(
        '[{"who": "a", "who": "*", "role": "admin", "role": "viewer", "scope": {"all": true}}]'
    )
    assert listed == Listed(Access(EVERYONE, "viewer"), "*")


def test_a_claim_may_fill_in_ids_where_others_are_empty():
    (listed,) = read_people(entry(scope={"teams": [], "keys": {"claim": "k"}, "users": ["u"]}))
    scope = Scope(users=("u",))
    assert listed == Listed(Access(scope, "viewer"), "*", claimed=(("keys", "k"),))


def test_a_list_of_two_megabytes_is_read_to_its_end():
    some = [json.loads(entry(f"{number}@example.com"))[0] for number in range(30_000)]
    assert len(json.dumps(some)) > 2_000_000
    listed = read_people(json.dumps([*some, *json.loads(entry("*", "admin"))]))
    assert access_of(Person("29999@example.com"), listed) == Access(EVERYONE, "viewer")
    assert access_of(Person("other"), listed) == Access(EVERYONE, "admin")
    with pytest.raises(ValueError, match=r"^entry 30001: `who` must be text\.$"):
        read_people(json.dumps([*some, *json.loads(entry(7))]))


# How it is set


def test_people_stand_in_the_variable_or_in_a_file(tmp_path):
    file = tmp_path / "people.json"
    file.write_text(entry("ada@example.com"))
    listed = (Listed(Access(EVERYONE, "viewer"), "ada@example.com"),)
    for written in (entry("ada@example.com"), str(file)):
        assert read_settings({"TRACELIB_PEOPLE": written}).people == listed


@pytest.mark.parametrize(
    "environ",
    [
        {"TRACELIB_PEOPLE": "/no/such/file"},
        {"TRACELIB_PEOPLE": "["},
        {"TRACELIB_IDENTITY_HEADER": HEADER},
        {"TRACELIB_IDENTITY_HEADER": HEADER, "TRACELIB_PROXY_SECRET": "short"},
        {"TRACELIB_IDENTITY_HEADER": "X Y", "TRACELIB_PROXY_SECRET": SECRET},
        {"TRACELIB_PROXY_SECRET": SECRET},
    ],
)
def test_what_does_not_tell_who_somebody_is_is_refused(environ):
    with pytest.raises(errors.BadSetting, match=r"TRACELIB_(PEOPLE|IDENTITY|PROXY)") as refused:
        read_settings(environ)
    assert SECRET not in str(refused.value)


def test_the_secret_is_never_written_out():
    environ = {"TRACELIB_IDENTITY_HEADER": HEADER, "TRACELIB_PROXY_SECRET": SECRET}
    settings = read_settings(environ)
    assert settings.proxy_secret == SECRET
    assert SECRET not in repr(settings)


# What a sign-in says


def test_who_signed_in_is_known_by_a_verified_address():
    claims = FRESH | {"email_verified": True, "groups": ["a", "b"], "sub": "17", "level": 3}
    assert persons.person_of_claims(claims, NOW) == Person(
        "ada@example.com",
        "Ada",
        {
            "iat": (str(NOW - 60),),
            "email": ("ada@example.com",),
            "name": ("Ada",),
            "email_verified": ("True",),
            "groups": ("a", "b"),
            "sub": ("17",),
            "level": ("3",),
        },
    )


@pytest.mark.parametrize("unverified", [False, "false", "False", None, 0, 1, "0", "no", [False]])
def test_an_address_that_nobody_verified_is_nobodys(unverified):
    person = persons.person_of_claims(FRESH | {"email_verified": unverified, "sub": "17"}, NOW)
    assert (person.who, "email" in person.claims) == ("17", False)


def test_what_only_looks_like_an_address_fits_no_entry_with_one():
    person = persons.person_of_claims({"iat": NOW, "sub": "eve@example.com"}, NOW)
    assert access_of(person, read_people(entry("*@example.com"))) is None
    assert access_of(person, read_people(entry("eve@example.com"))) is None
    assert access_of(person, read_people(entry("*"))) is not None
    subject = persons.person_of_claims({"iat": NOW, "sub": "17"}, NOW)
    assert access_of(subject, read_people(entry("17"))) is not None


@pytest.mark.parametrize(
    "issued",
    [
        NOW - persons.SIGNED_IN_FOR_S - 1,
        NOW + 61,
        10**400,
        float("nan"),
        float("inf"),
        None,
        "now",
    ],
)
def test_a_sign_in_runs_out(issued):
    assert persons.person_of_claims(FRESH | {"iat": issued}, NOW) is None
    assert persons.person_of_claims({}, NOW) is None


# What a proxy says


def test_a_proxy_that_proves_itself_is_believed():
    groups = GIVEN | {"x-forwarded-groups": ["platform, staff,,"]}
    person = persons.person_of_headers(groups, HEADER, SECRET)
    assert (person.who, person.claims) == (
        "ada@example.com",
        {"x-forwarded-email": ("ada@example.com",), "x-forwarded-groups": ("platform", "staff")},
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"x-tracelib-proxy-secret": []},
        {"x-tracelib-proxy-secret": [""]},
        {"x-tracelib-proxy-secret": ["0" * 32]},
        {"x-tracelib-proxy-secret": [SECRET[:-1]]},
        {"x-tracelib-proxy-secret": ["é" * 32]},
        {"x-tracelib-proxy-secret": [SECRET, SECRET]},
        {HEADER.lower(): []},
        {HEADER.lower(): [""]},
        {HEADER.lower(): ["ada@example.com", "eve@example.com"]},
        {HEADER.lower(): ["ada@ex ample.com"]},
        {HEADER.lower(): ["a" * 321]},
    ],
)
def test_a_header_that_anybody_could_have_sent_is_nobodys(changed):
    assert persons.person_of_headers(GIVEN | changed, HEADER, SECRET) is None


def test_without_a_secret_no_header_counts():
    assert persons.person_of_headers(GIVEN, HEADER, None) is None
    assert persons.person_of_headers(GIVEN | {"x-tracelib-proxy-secret": [""]}, HEADER, "") is None


def test_a_header_that_counts_for_nothing_may_be_there_twice():
    twice = GIVEN | {"via": ["a", "b"], "x-forwarded-groups": ["staff"]}
    person = persons.person_of_headers(twice, HEADER, SECRET, ["x-forwarded-groups"])
    assert (person.claims["x-forwarded-groups"], "via" in person.claims) == (("staff",), False)


@pytest.mark.parametrize(
    "smuggled",
    [
        {"x-forwarded-groups": ["staff", "admins"]},
        {"x_forwarded_groups": ["admins"]},
        {"x-forwarded_groups": ["admins"], "x-forwarded-groups": ["staff"]},
        {"x_forwarded_email": ["eve@example.com"]},
        {"x_tracelib_proxy_secret": ["0" * 32]},
    ],
)
def test_a_header_that_counts_is_there_once_and_under_one_name(smuggled):
    """An entry that limits some people could be escaped if their header were merely ignored."""
    claims = ["x-forwarded-groups"]
    assert persons.person_of_headers(GIVEN, HEADER, SECRET, claims) is not None
    assert persons.person_of_headers(GIVEN | smuggled, HEADER, SECRET, claims) is None


def test_which_claims_a_list_reads():
    listed = read_people(
        json.dumps(
            [
                {"who": {"claim": "a", "value": "x"}, "role": "viewer", "scope": {"all": True}},
                {"who": "*", "role": "viewer", "scope": {"users": {"claim": "b"}, "keys": ["k"]}},
            ]
        )
    )
    assert claims_of(listed) == {"a", "b"}


# What the pages do


@pytest.fixture
def log(database, monkeypatch, fresh_caches) -> None:
    """A log with one request, and a list with an admin and a viewer."""
    monkeypatch.setenv("DATABASE_URL", database(rows=[spend_log()]).url)
    ada, vic = ("admin", {"all": True}), ("viewer", {"all": True})
    monkeypatch.setenv("TRACELIB_PEOPLE", people(ada=ada, vic=vic))


DAY = {"range": "custom", "from": "2026-11-23", "to": "2026-11-23", "zone": "UTC"}


@pytest.mark.parametrize("user", [signed_in(None), signed_in("ada@example.com", iat=0)])
def test_nobody_sees_a_page_before_signing_in(log, user):
    app = visit("Home.py", user, **DAY)
    for page in PAGES:
        turned_to(app, page, **DAY)
        assert not app.exception
        assert [one.label for one in app.button] == ["Sign in"]
        assert words(app) == "LLM traceability"
        assert not app.metric
        assert not app.dataframe


def test_somebody_who_is_not_listed_is_told_whom_to_ask(log):
    app = visit("Home.py", signed_in("eve@example.org"), **DAY)
    assert "You are signed in as eve@example.org, but have not been given access." in words(app)
    assert [one.label for one in app.button] == ["Sign out"]
    assert not app.metric


def test_without_a_list_nobody_who_signs_in_sees_anything(log, monkeypatch):
    monkeypatch.delenv("TRACELIB_PEOPLE")
    app = visit("Home.py", signed_in("ada@example.com"), **DAY)
    assert "have not been given access" in words(app)


def test_who_is_signed_in_stands_in_the_sidebar(log):
    app = visit("Home.py", signed_in("ada@example.com", name="Ada *L*"), **DAY)
    assert not app.exception
    assert "Ada *L*, admin" in [plain(one.value) for one in app.sidebar.caption]
    assert app.button("sign out").label == "Sign out"


def test_an_open_app_asks_nobody_and_says_so(log, monkeypatch):
    monkeypatch.delenv("TRACELIB_PEOPLE")
    app = visit("pages/Status.py", None, **DAY)
    assert "Everyone who can open this address sees everything" in words(app)
    assert "No audit log is configured" in words(app)
    assert not [one for one in app.button if one.label in ("Sign in", "Sign out")]


def test_a_list_without_a_way_to_tell_who_somebody_is_shows_nothing(log):
    app = visit("Home.py", None, **DAY)
    assert errors.BadSetting.sentence in words(app)
    assert not app.metric


@pytest.mark.parametrize(
    ("user", "environ"),
    [
        (signed_in(None), {"TRACELIB_PEOPLE": '[{"who": "ada@example.com"}]'}),
        (None, {"TRACELIB_PEOPLE": '[{"who": "ada@example.com"}]'}),
        (None, {"TRACELIB_IDENTITY_HEADER": HEADER, "TRACELIB_PROXY_SECRET": "short-secret"}),
    ],
)
def test_a_stranger_is_told_no_detail_of_a_setting(log, monkeypatch, caplog, user, environ):
    log_once.cache_clear()
    monkeypatch.delenv("TRACELIB_PEOPLE")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    app = visit("Home.py", user, **DAY)
    assert errors.BadSetting.sentence in words(app)
    assert app.header[0].value == "Nothing can be shown yet"
    assert not any(name in words(app) for name in (*environ, "entry 1"))
    assert [line.message for line in caplog.records if "TRACELIB_" in line.message]


@pytest.mark.parametrize("said", ["soon", "1"])
def test_a_header_that_is_called_as_a_claim_is_no_sign_in_that_runs_out(log, monkeypatch, said):
    monkeypatch.setenv("TRACELIB_IDENTITY_HEADER", HEADER)
    monkeypatch.setenv("TRACELIB_PROXY_SECRET", SECRET)
    person = Person("ada@example.com", claims={"iat": (said,)})
    assert persons.with_current_access(person, installation()).access.scope == EVERYONE


def test_whoever_set_an_open_app_up_is_told_the_detail(log, monkeypatch):
    monkeypatch.delenv("TRACELIB_PEOPLE")
    monkeypatch.setenv("TRACELIB_POOL_SIZE", "many")
    app = visit("Home.py", None, **DAY)
    assert [code.value for code in app.code if "TRACELIB_POOL_SIZE" in code.value]


def test_a_mistake_in_the_tokens_of_programs_closes_no_page(log, monkeypatch):
    monkeypatch.setenv("TRACELIB_API_TOKENS", "[")
    app = visit("Home.py", signed_in("ada@example.com"), **DAY)
    assert app.metric
    with pytest.raises(errors.BadSetting, match="TRACELIB_API_TOKENS"):
        installation(for_programs=True)


def test_two_ways_to_come_in_are_refused(log, monkeypatch):
    monkeypatch.setenv("TRACELIB_IDENTITY_HEADER", HEADER)
    monkeypatch.setenv("TRACELIB_PROXY_SECRET", SECRET)
    app = visit("Home.py", signed_in("ada@example.com"), **DAY)
    assert errors.BadSetting.sentence in words(app)
    assert not app.metric


def test_status_shows_the_installation_to_admins_alone(log):
    app = visit("pages/Status.py", signed_in("ada@example.com"), **DAY)
    to_admin = words(app)
    app.user = signed_in("vic@example.com")
    to_viewer = words(turned_to(app, "pages/Status.py", **DAY))
    assert not app.exception
    for title in ("Database", "Size", "LiteLLM proxy", "Access", "This app"):
        assert f"**{title}**" in to_admin
        assert f"**{title}**" not in to_viewer
    assert "**Freshness**" in to_viewer


def test_a_viewers_home_names_no_database(log):
    app = visit("Home.py", signed_in("vic@example.com"), **DAY)
    assert "Database:" not in words(app)
    assert "PostgreSQL" not in words(app)


# What a real server does with headers


@pytest.fixture(scope="module")
def behind_a_proxy(real_rows_database):
    """The app as a proxy reaches it: `said(**headers)` is what its front door shows."""
    variables = {
        "DATABASE_URL": real_rows_database.url,
        "TRACELIB_IDENTITY_HEADER": HEADER,
        "TRACELIB_PROXY_SECRET": SECRET,
        "TRACELIB_PEOPLE": people(ada=("viewer", {"all": True})),
        "STREAMLIT_SERVER_ENABLE_AGENT_API": "true",
    }
    with serving(**variables) as address:

        def said(*headers: tuple[str, str]) -> str:
            request = urllib.request.Request(f"{address}/_stcore/agent/interact", b"{}")
            request.add_header("Content-Type", "application/json")
            for name, value in headers:
                request.add_unredirected_header(name, value)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return plain(answer.read().decode())

        yield said


def test_a_server_believes_the_proxy_alone(behind_a_proxy):
    named, proof = (HEADER, "ada@example.com"), ("X-Tracelib-Proxy-Secret", SECRET)
    assert "ada@example.com, viewer" in behind_a_proxy(named, proof)
    for smuggled in (
        (),
        (named,),
        (proof,),
        (named, ("X-Tracelib-Proxy-Secret", "0" * 32)),
        (named, ("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")),
        (("X_Forwarded_Email", "ada@example.com"), proof),
        (named, proof, ("X_Forwarded_Email", "eve@example.com")),
    ):
        said = behind_a_proxy(*smuggled)
        assert "this connection carries no identity" in said
        assert "ada@example.com" not in said


def test_a_foreign_host_name_shows_nothing(behind_a_proxy):
    """`Home.py` alone has no other place to refuse it."""
    named, proof = (HEADER, "ada@example.com"), ("X-Tracelib-Proxy-Secret", SECRET)
    said = behind_a_proxy(named, proof, ("Host", "evil.example"))
    assert "This host name is not allowed." in said
    assert "ada@example.com" not in said
