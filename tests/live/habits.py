"""What clients do with the history that they send, and what was really said.

To add a habit append it to one of the two lists: a name, the path of an API, what the client
sends turn by turn and is answered, and the messages that there are, each once.
"""

from tests.live.agent_habits import AGENT_HABITS
from tests.live.chat_habits import CHAT_HABITS

ALL = (*CHAT_HABITS, *AGENT_HABITS)
NOT_YET = {
    "forgets the oldest messages": "A window that begins with an answer is told again whole.",
    "reminds in the newest question only": "A question that lost its reminder starts a branch.",
    "puts what it found into the system prompt": "Another prompt starts another conversation"
    " where they differ in their first 200 characters.",
    "puts what it found before the newest question": "A question that lost its notes starts a"
    " branch.",
    "empties old results": "A result that was emptied starts a branch.",
}
"""The habits that the app does not read so yet, each with the reason: they are not run."""

HABITS = tuple(habit for habit in ALL if habit.name not in NOT_YET)
