"""How pages and programs ask: of which database, as whom, and each question once for all.

    installation  which database is asked, and what whoever looks may see
    permissions   what is refused to whom
    runner        asks the questions side by side, and waits
    store         the answers, the questions under way, and which database is away

What Streamlit keeps between runs is kept here, so that a page and the API, which stand side by
side above, are given the same answers.
"""
