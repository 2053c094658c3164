"""Charts: from frames to Plotly figures, without queries, state or theme.

Every text from the database goes through `palette.plain`, because Plotly interprets a few HTML
tags.
"""
