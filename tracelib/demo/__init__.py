"""Sample traffic in a PostgreSQL of its own, for a look at the dashboard without a proxy.

`start` says where the sample database is, after starting and filling it; `keep_arriving` lets
rows go on arriving in it; `requests` makes the rows, the same ones for the same arguments.

The story: an invented company with five teams, sixteen people and twenty keys, over thirty
days. Its working days show, so do its quiet week-ends and its nightly batches. A provider is
down for three hours, an agent goes round in circles for a night, a new model is taken up.
"""

from tracelib.demo.server import SampleDatabase, arrive, keep_arriving, start
from tracelib.demo.story import SEED, requests

__all__ = ["SEED", "SampleDatabase", "arrive", "keep_arriving", "requests", "start"]
