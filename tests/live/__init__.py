"""Tests against a real LiteLLM proxy: what it writes is read by the questions of the app.

    install    puts two versions of LiteLLM into a folder of their own
    proxy      starts and stops one of them on a database of the tests
    vendor     stands in for OpenAI and Anthropic, behind the proxy
    client     sends requests to the proxy, and keeps what was sent and what came back
    traffic    many kinds of requests of many keys
    habits     what clients do with the history of a conversation, and what was really said
    ledger     what LiteLLM itself says of its traffic, by its own endpoints

`python -m tests.live.install` installs it. Without that these tests are skipped, unless
`TRACELIB_LIVE_TESTS` is `required`: then they install it themselves, or fail.
"""
