"""How pages and programs run queries: on which database, with which access, each once for all.

    installation  the database, and what the viewer may see of it
    permissions   which query is refused to whom
    runner        runs the queries in parallel, and waits
    store         the results, the queries under way, and which database is down

State that outlives a run is held here, so that pages and the API, two layers next to each other,
get the same results.
"""
