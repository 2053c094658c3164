"""That any PostgreSQL URL people paste is understood, and a wrong setting is named."""

import pytest

from tracelib import errors
from tracelib.database_url import DatabaseAddress, read_address
from tracelib.permissions.people import read_people
from tracelib.permissions.tokens import read_tokens
from tracelib.redaction import OwnPattern
from tracelib.settings import Settings, read_settings


def parameters(url: str) -> dict[str, str]:
    return dict(read_address(url).parameters)


PLAIN = {"user": "ada", "password": "s3cret", "host": "db", "port": "5432", "dbname": "litellm"}
REPLICA = DatabaseAddress(
    (("user", "ada"), ("password", "s3cret"), ("host", "replica"), ("dbname", "figures")), "team"
)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:s3cret@db:5432/litellm",
        "postgres://ada:s3cret@db:5432/litellm",
        "POSTGRES://ada:s3cret@db:5432/litellm",
        "postgresql+psycopg2://ada:s3cret@db:5432/litellm",
        "postgresql+psycopg://ada:s3cret@db:5432/litellm",
        "  postgresql://ada:s3cret@db:5432/litellm\n",
        '"postgresql://ada:s3cret@db:5432/litellm"',
        "'postgresql://ada:s3cret@db:5432/litellm'",
    ],
)
def test_the_same_place_written_in_different_ways(url):
    assert read_address(url) == DatabaseAddress(tuple(PLAIN.items()), None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("p@ss/w#rd%", "p@ss/w#rd%"),
        ("p%40ss%2Fw%23rd%25", "p@ss/w#rd%"),
        ("a:b:c", "a:b:c"),
        ("wh?t", "wh?t"),
        ("wh?t@else", "wh?t@else"),
        ("[x]", "[x]"),
        ("a&b=c", "a&b=c"),
        ("a+b", "a+b"),
        ("a b", "a b"),
        ("100%", "100%"),
        ("100%25", "100%"),
        ("50%off", "50%off"),
        ("ключ", "ключ"),
        ("%D0%BA", "к"),
        ("", ""),
    ],
)
def test_a_password_is_read_as_it_was_meant(written, meant):
    assert parameters(f"postgresql://ada:{written}@db:5432/litellm") == PLAIN | {"password": meant}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("ada%40corp", "ada@corp"), ("ada@corp", "ada@corp"), ("postgres.abcdef", "postgres.abcdef")],
)
def test_a_user_name_is_read_as_it_was_meant(written, meant):
    assert parameters(f"postgresql://{written}:s3cret@db:5432/litellm") == PLAIN | {"user": meant}


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        ("db/litellm", {"host": "db", "dbname": "litellm"}),
        ("db:6543/litellm", {"host": "db", "port": "6543", "dbname": "litellm"}),
        ("db:/litellm", {"host": "db", "dbname": "litellm"}),
        ("ada@db", {"user": "ada", "host": "db"}),
        ("db/", {"host": "db"}),
        ("/litellm", {"dbname": "litellm"}),
        ("[::1]:6543/litellm", {"host": "::1", "port": "6543", "dbname": "litellm"}),
        ("[::1]/litellm", {"host": "::1", "dbname": "litellm"}),
        ("a,b:6543/litellm", {"host": "a,b", "port": "5432,6543", "dbname": "litellm"}),
        ("%2Frun%2Fpg/litellm", {"host": "/run/pg", "dbname": "litellm"}),
        ("ada@/litellm?host=/run/pg", {"user": "ada", "dbname": "litellm", "host": "/run/pg"}),
        ("db/my%20base", {"host": "db", "dbname": "my base"}),
    ],
)
def test_a_place_is_read_as_libpq_reads_it(authority, expected):
    assert parameters(f"postgresql://{authority}") == expected


def test_prismas_own_parameters_are_left_out_but_the_schema_is_kept():
    address = read_address(
        "postgresql://ada:s3cret@db:5432/litellm?schema=llm&connection_limit=10&pool_timeout=60"
        "&pgbouncer=true&statement_cache_size=0&socket_timeout=5&sslmode=require"
    )
    expected = PLAIN | {"sslmode": "require"}
    assert address == DatabaseAddress(tuple(expected.items()), "llm")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sslmode=verify-full", {"sslmode": "verify-full"}),
        ("sslaccept=strict", {"sslmode": "verify-full"}),
        ("sslaccept=accept_invalid_certs", {"sslmode": "require"}),
        ("sslrootcert=/etc/my%20ca.pem", {"sslrootcert": "/etc/my ca.pem"}),
        ("options=endpoint%3Dep-cool-1", {"options": "endpoint=ep-cool-1"}),
        ("options=-c%20statement_timeout%3D0", {}),
        ("application_name=a@b", {}),
        ("connect_timeout=9", {"connect_timeout": "9"}),
        ("channel_binding=require", {"channel_binding": "require"}),
        ("sslmode=", {}),
        ("", {}),
    ],
)
def test_parameters_that_libpq_knows_are_kept(query, expected):
    assert parameters(f"postgresql://ada:s3cret@db:5432/litellm?{query}") == PLAIN | expected


@pytest.mark.parametrize("schema", ["", "?schema=", "?sslmode=require"])
def test_without_a_schema_in_the_url_the_search_path_decides(schema):
    assert read_address(f"postgresql://db/litellm{schema}").schema is None


@pytest.mark.parametrize(
    "url",
    [
        "litellm",
        "mysql://ada:s3cret@db/litellm",
        "https://db/litellm",
        "prisma://accelerate.example.com/?api_key=s3cret",
        "host=db user=ada password=s3cret dbname=litellm",
        "//ada:s3cret@db/litellm",
        "postgresql://ada:s3cret@db:port/litellm",
    ],
)
def test_what_is_no_postgresql_url_is_refused_without_saying_the_password(url):
    with pytest.raises(errors.BadSetting, match="DATABASE_URL") as raised:
        read_address(url)
    assert "s3cret" not in f"{raised.value} {raised.value.detail} {raised.value!r}"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://ada:s3cret@db.example.com:5432/litellm", "litellm on db.example.com"),
        ("postgresql://ada:s3cret@db:6543/litellm", "litellm on db:6543"),
        ("postgresql://ada:s3cret@db", "ada on db"),
        ("postgresql:///litellm?host=/run/pg&password=s3cret", "litellm on this machine"),
        ("postgresql://", "the default database on this machine"),
    ],
)
def test_an_address_in_words_names_the_place_and_never_the_password(url, words):
    address = read_address(url)
    assert address.in_words() == words
    assert "s3cret" not in f"{address} {address!r} {Settings(address)!r}"


def test_without_any_variable_the_sample_is_shown_gently():
    assert read_settings({}) == Settings(
        database=None,
        table="LiteLLM_SpendLogs",
        statement_timeout_s=15.0,
        pool_size=4,
        refresh="30s",
        proxy_url=None,
        sample_folder=None,
        redact=(),
        api_tokens=(),
        people=None,
        identity_header=None,
        proxy_secret=None,
        audit_log=None,
        replica="auto",
        replica_folder=None,
        replica_duty=0.5,
        replica_memory_mb=768,
        replica_disk_mb=None,
        replica_keeps_history=False,
        keep_results=True,
    )


def test_every_variable_is_read():
    environ = {
        "DATABASE_URL": " postgresql://ada:s3cret@db:5432/litellm ",
        "TRACELIB_TABLE": "Archive",
        "TRACELIB_STATEMENT_TIMEOUT_S": "2.5",
        "TRACELIB_POOL_SIZE": "2",
        "TRACELIB_REFRESH": "5m",
        "LITELLM_PROXY_URL": "https://proxy.example.com/",
        "TRACELIB_SAMPLE_FOLDER": "/var/sample",
        "TRACELIB_REDACT": '{"employee": "EMP-[0-9]{5}"}',
        "TRACELIB_LOG_LEVEL": "debug",
        "TRACELIB_REPLICA": "on",
        "TRACELIB_REPLICA_FOLDER": "/var/replica",
        "TRACELIB_REPLICA_URL": "postgresql://ada:s3cret@replica/figures?schema=team",
        "TRACELIB_REPLICA_DUTY": "0.25",
        "TRACELIB_REPLICA_MEMORY_MB": "1024",
        "TRACELIB_REPLICA_DISK_MB": "20000",
        "TRACELIB_REPLICA_KEEPS_HISTORY": "yes",
        "TRACELIB_KEEP_RESULTS": "no",
    }
    assert read_settings(environ) == Settings(
        database=DatabaseAddress(tuple(PLAIN.items()), None),
        table="Archive",
        statement_timeout_s=2.5,
        pool_size=2,
        refresh="5m",
        proxy_url="https://proxy.example.com",
        sample_folder="/var/sample",
        redact=(OwnPattern("employee", "EMP-[0-9]{5}"),),
        log_level="debug",
        replica="on",
        replica_folder="/var/replica",
        replica_database=REPLICA,
        replica_duty=0.25,
        replica_memory_mb=1024,
        replica_disk_mb=20000,
        replica_keeps_history=True,
    )


@pytest.mark.parametrize(
    ("name", "content", "field", "expected"),
    [
        (
            "TRACELIB_REPLICA_URL",
            "postgresql://ada:s3cret@replica/figures?schema=team\n",
            "replica_database",
            REPLICA,
        ),
        (
            "DATABASE_URL",
            "postgresql://ada:s3cret@db:5432/litellm\n",
            "database",
            DatabaseAddress(tuple(PLAIN.items()), None),
        ),
        (
            "TRACELIB_PEOPLE",
            '[{"who": "*", "role": "viewer", "scope": {"all": true}}]',
            "people",
            read_people('[{"who": "*", "role": "viewer", "scope": {"all": true}}]'),
        ),
        (
            "TRACELIB_API_TOKENS",
            f'[{{"name": "ci", "sha256": "{"0" * 64}", "scope": {{"all": true}}}}]',
            "api_tokens",
            read_tokens(f'[{{"name": "ci", "sha256": "{"0" * 64}", "scope": {{"all": true}}}}]'),
        ),
        ("TRACELIB_PROXY_SECRET", f"{'s' * 32}\n", "proxy_secret", "s" * 32),
    ],
)
def test_a_secret_may_be_in_a_file(tmp_path, name, content, field, expected):
    path = tmp_path / "secret"
    path.write_text(content)
    header = {"TRACELIB_IDENTITY_HEADER": "X-User"} if field == "proxy_secret" else {}
    assert getattr(read_settings({f"{name}_FILE": str(path), **header}), field) == expected
    with pytest.raises(errors.BadSetting, match=f"{name} and {name}_FILE are both set"):
        read_settings({name: "x", f"{name}_FILE": str(path)})
    with pytest.raises(errors.BadSetting, match=f"{name}_FILE is not the path"):
        read_settings({f"{name}_FILE": str(tmp_path / "gone")})


def test_a_variable_that_is_set_to_nothing_is_not_set():
    names = ("DATABASE_URL", "TRACELIB_TABLE", "TRACELIB_STATEMENT_TIMEOUT_S")
    names += ("TRACELIB_POOL_SIZE", "TRACELIB_REFRESH", "LITELLM_PROXY_URL", "TRACELIB_REDACT")
    assert read_settings(dict.fromkeys(names, "  ")) == read_settings({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "db"),
        ("TRACELIB_STATEMENT_TIMEOUT_S", "soon"),
        ("TRACELIB_STATEMENT_TIMEOUT_S", "0"),
        ("TRACELIB_STATEMENT_TIMEOUT_S", "nan"),
        ("TRACELIB_STATEMENT_TIMEOUT_S", "inf"),
        ("TRACELIB_POOL_SIZE", "0"),
        ("TRACELIB_POOL_SIZE", "many"),
        ("TRACELIB_REFRESH", "2s"),
        ("LITELLM_PROXY_URL", "proxy:4000"),
        ("TRACELIB_REDACT", "EMP-[0-9]{5}"),
        ("TRACELIB_REDACT", '"EMP"'),
        ("TRACELIB_REDACT", '["("]'),
        ("TRACELIB_REDACT", '["(?<=a)b"]'),
        ("TRACELIB_REDACT", '["(a)\\\\1"]'),
        ("TRACELIB_REDACT", "[7]"),
        ("TRACELIB_REDACT", '[""]'),
        ("TRACELIB_REDACT", '{"key": "a"}'),
        ("TRACELIB_REDACT", '{"a]b": "a"}'),
        ("TRACELIB_REDACT", '["' + "a" * 1_001 + '"]'),
        ("TRACELIB_REDACT", "[" + ", ".join(['"a"'] * 51) + "]"),
        ("TRACELIB_REDACT", "[" * 100_000),
        ("TRACELIB_LOG_LEVEL", "loud"),
        ("TRACELIB_REDACT", '["\\ud800"]'),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(name, value):
    with pytest.raises(errors.BadSetting, match=name):
        read_settings({name: value})


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("postgresql+asyncpg://ada:s3cret@db:5432/litellm", PLAIN),
        ("jdbc:postgresql://ada:s3cret@db:5432/litellm", PLAIN),
        ("postgresql://ada:s3cret@db:5432/litellm?ssl=true", PLAIN | {"sslmode": "require"}),
        ("postgresql://ada@db:5432/litellm?password=a+b", PLAIN | {"password": "a+b"}),
        ("postgresql://ada:a?b=c@db:5432/litellm", PLAIN | {"password": "a?b=c"}),
        (
            "postgresql://ada:s3cret@db:5432/litellm?sslcert=ca.pem",
            PLAIN | {"sslcert": "", "sslrootcert": "ca.pem"},
        ),
    ],
)
def test_what_other_drivers_write_is_understood(url, meant):
    assert parameters(url) == meant


def test_a_search_path_names_the_schema():
    url = "postgresql://db/litellm?options=-c%20search_path%3Dllm"
    assert read_address(url) == DatabaseAddress((("host", "db"), ("dbname", "litellm")), "llm")


def test_a_wrong_url_of_a_replica_is_named_by_its_setting():
    for url in ("mysql://x/y", "postgresql://host:port/x"):
        with pytest.raises(errors.BadSetting, match="TRACELIB_REPLICA_URL"):
            read_settings({"TRACELIB_REPLICA_URL": url})
