"""LiteLLM's log table as one clean relation.

Only this package knows how LiteLLM writes its rows: text for booleans, empty strings for null,
times without a zone, columns that come and go. All others query `requests`.
"""
