"""What the readers of bodies were made for: call types, and fields of a request."""

from tracelib.conversation.bodies.parameters import SETTINGS
from tracelib.conversation.bodies.unknown_shapes import OWN_BEGINNINGS, OWN_FIELDS

# Each without the `a` of its asynchronous twin, which is stored more often.
_CALLS = (
    *("completion", "text_completion", "responses", "get_responses", "compact_responses"),
    *("anthropic_messages", "generate_content", "generate_content_stream", "create_interaction"),
    *("embedding", "moderation", "rerank", "ocr", "transcription", "speech", "search"),
    *("image_generation", "image_edit", "create_video", "video_generation", "vector_store_search"),
    *("create_batch", "retrieve_batch", "create_file", "send_message", "llm_passthrough_route"),
)
CALL_TYPES = (
    *_CALLS,
    *(f"a{name}" for name in _CALLS),
    *("_arealtime", "_aresponses_websocket", "pass_through_endpoint"),
    *("call_mcp_tool", "list_mcp_tools"),
)
# Fields that hold what was sent, or that a reader shows in another way.
_READ = frozenset(
    {
        *("messages", "message", "chat_history", "contents", "input", "inputs", "inputText"),
        *("prompt", "prompt_id", "prompt_version", "prompt_variables", "suffix", "text", "texts"),
        *("negative_prompt", "system", "instructions", "systemInstruction", "system_instruction"),
        *("preamble", "documents", "document", "prediction", "query", "image", "mask", "file"),
        *("input_reference", "first_message", "params", "name", "arguments", "conversation"),
        *("previous_response_id", "previous_interaction_id", "response_id", "interaction_id"),
        *("input_file_id", "endpoint", "completion_window", "purpose", "batch_id"),
        *("reasoning", "thinking", "toolConfig"),
        *("inferenceConfig", "generationConfig", "generation_config"),
    }
)


def is_known_field(name: str) -> bool:
    """Does a reader know this field of a request, or is it LiteLLM's own?

    >>> is_known_field("messages"), is_known_field("litellm_call_id"), is_known_field("mood")
    (True, True, False)
    """
    known = name in _READ or name in SETTINGS or name in OWN_FIELDS or name == "model"
    return known or name.startswith(OWN_BEGINNINGS)
