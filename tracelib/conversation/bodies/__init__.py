"""Reads the bodies of a row: the messages of a request and of its response, whatever API it was.

    asked          which messages does a request hold?
    answers        which messages does a response hold?
    chat           one message, in the spellings of the chat APIs
    parts          the parts of a message: texts, tool calls and results, media
    answer_shapes  responses of other APIs; `streams` and `events` put streamed ones together
    single         calls without a conversation: embeddings, images, speech
    unknown        bodies in no known shape

Below them: `messages` are the values, `fields` takes what is known out of an object, so that the
rest is shown too, `wording` is what is shown in place of what cannot be.
"""
