"""The text that readers show in place of content. It is defined here so that a search knows it."""

ENCRYPTED = "Encrypted; only the provider can read it"
EMPTY_THOUGHT = "Empty: the model reasoned, but no text was sent"

COMPACTED = "Compacted conversation"
COMPACTION_REQUESTED = "Requested here"
SUMMED_UP = "Summarized below"

NOT_STORED = "{kind}, not stored"
STORED_CUT = "stored truncated"
TEXT_BELOW = "{kind}, text below"
SEARCH_RESULT = "search result"
SIZES = ("{size} B", "{size:.1f} kB", "{size:.1f} MB")

TOOL_FAILED = "The tool failed."
TOOL_UNFINISHED = "The tool did not finish."
STDERR = "stderr: {text}"
TIMED_OUT = "timed out"
EXIT_CODE = "exit code {code}"
FILE_UPDATED = "File updated"
FILE_CREATED = "File created"
CODE_EXECUTION = "code_execution"

APPROVAL = "Approval"
APPROVAL_REQUESTED = "Requests approval to call {name}"
A_TOOL = "a tool"
APPROVED = "Approved"
NOT_APPROVED = "Not approved"
NO_DESCRIPTION = "No description"

REFERS_TO = "Refers to {id}, stored by the provider"
AN_ITEM = "an item"
PROMPT = "Prompt {id}"
PROMPT_VERSION = "Prompt {id}, version {version}"
WITHOUT_ID = "without an ID"
SEARCHED_FOR = "Searched for"
UNREAD_STREAM = "Unreadable part of the stream"
PAGE = "page {number}"
DOCUMENT = "document {number}"
RELEVANCE = "document {number}: relevance {score}"
UNKNOWN = "unknown"
FLAGGED = "Flagged"
NOT_FLAGGED = "Not flagged"
VECTORS = "vectors of numbers, vector, tokens, token"
HIDDEN = "[hidden]"
MASKED = "[e-mail] [key]"

ENDED_WITH = "Ended with: {detail}"
ENDED_OTHERWISE = "Ended for another reason"
FAILED = "Failed"

# What something is called if its type is unknown.
KINDS = "base64 text image audio video file document resource application"
