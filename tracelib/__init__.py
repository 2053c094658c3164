"""What did our LLM traffic do, what did it cost, and which messages did it have?"""
