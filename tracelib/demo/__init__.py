"""Sample traffic in a PostgreSQL of its own, to try the dashboard without a proxy.

`start` starts and fills the sample database; `keep_arriving` adds rows to it; `requests` makes the
rows, the same ones for the same arguments.

The story: an invented company with five teams, sixteen people and twenty keys, over thirty days,
with working days, quiet week-ends and nightly batches. A provider is down for three hours, an agent
runs in a loop for a night, a new model is introduced, and the log has a few defects.
"""

from tracelib.demo.server import SampleDatabase, arrive, keep_arriving, start
from tracelib.demo.story import SEED, requests

__all__ = ["SEED", "SampleDatabase", "arrive", "keep_arriving", "requests", "start"]
