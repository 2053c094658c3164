"""Frames in, Plotly figures out: no query, no state, no theme but what the app adds.

Every text that comes from the database goes through `labels.plain`, because Plotly reads
a few HTML tags in it.
"""
