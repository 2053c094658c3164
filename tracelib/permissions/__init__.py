"""Who may see what.

access  roles, and scopes: whose requests may be seen
people  the list of people, or of claims of a directory, with their access
tokens  the tokens of programs with their access
"""
