"""Which request of a session continues which, and which messages each adds to the conversation.

canonical   messages as items with keys, without what transport changes
item_tree   all histories of a session as one tree of items
locating    where in the tree a request's history is, and what of it is new
alignment   two histories compared: items kept, changed, moved, inserted, removed
changes     how a client rewrote its history, as sentences
threads     the threads of a session
history     requests read one after another, with what later ones need of them
"""
