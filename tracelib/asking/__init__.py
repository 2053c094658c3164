"""How pages and programs ask: of which database, as whom, and each question once for all.

What Streamlit keeps between runs is kept here, so that a page and the API, which stand side by
side above, are given the same answers.
"""
