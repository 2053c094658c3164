"""The identity of a key outside the database, which is not a secret.

LiteLLM stores the hash of a key, or one of a few names. Some versions stored the key itself, or the
word None for no key; another process that writes the log may store null. Anything but a hash or
such a name may be a secret, so it is replaced by a short hash of itself. `spendlogs.conditions`
does the same in SQL.
"""

import re
from hashlib import sha256

NO_KEY = ("", "None", "null", "undefined")
HEALTH_CHECK = "litellm-internal-health-check"
NAMES = {
    "litellm_proxy_master_key": "master key",
    HEALTH_CHECK: "health check",
    "litellm-cli": "LiteLLM CLI",
}
HASH = "[0-9a-fA-F]{64}"
HASHED_JWT = f"hashed-jwt-{HASH}"
# LiteLLM's command line uses the ID of its user. Its tokens have one prefix and one length.
CLI_SESSION = "cli-session-"
CLI_TOKEN = f"{CLI_SESSION}[A-Za-z0-9_-]{{22}}"
HIDDEN = "hashed-"
DIGITS = 16

_IS_STORED = re.compile(f"{HASH}|{HASHED_JWT}|{'|'.join(map(re.escape, NAMES))}")
_IS_HIDDEN = re.compile(f"{HIDDEN}[0-9a-f]{{{DIGITS}}}")
_IS_CLI_USER = re.compile(f"(?!{CLI_TOKEN}\\Z){CLI_SESSION}.*", re.DOTALL)


def key_identity(key: str) -> str:
    """The identity of this key. It is the identity of itself, too; empty means no key.

    >>> key_identity("litellm-cli"), key_identity("None"), key_identity("cli-session-ada")
    ('litellm-cli', '', 'cli-session-ada')
    >>> key_identity("a secret") == key_identity(key_identity("a secret"))
    True
    """
    if key in NO_KEY:
        return ""
    if is_stored_so(key) or _IS_HIDDEN.fullmatch(key) or _IS_CLI_USER.fullmatch(key):
        return key
    digest = sha256(key.encode(errors="surrogatepass")).hexdigest()
    return HIDDEN + digest[:DIGITS]


def is_stored_so(identity: str) -> bool:
    """Is this identity stored in the log as it is, so that an index finds it?"""
    return bool(_IS_STORED.fullmatch(identity))
