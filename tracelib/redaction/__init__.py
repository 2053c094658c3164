"""Private facts in text, masked before anyone sees them: addresses, keys, cards, numbers."""
