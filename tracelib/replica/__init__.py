"""A columnar copy of the log, without messages, that answers figures without its database."""
