"""What clients do with the history that they send, and what was really said.

To add a habit append it to one of the two lists: a name, the path of an API, what the client
sends turn by turn and is answered, and the messages that there are, each once.
"""

from tests.live.agent_habits import AGENT_HABITS
from tests.live.chat_habits import CHAT_HABITS

ALL = (*CHAT_HABITS, *AGENT_HABITS)
NOT_YET: dict[str, str] = {}
"""The names of habits that the app does not read so yet, with the reason: they are not run."""

HABITS = tuple(habit for habit in ALL if habit.name not in NOT_YET)
