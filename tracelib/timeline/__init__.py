"""How a session went in time: what ran when, what waited, and how its context grew."""
