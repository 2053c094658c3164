"""What did our LLM traffic do, what did it cost, and what was said."""
