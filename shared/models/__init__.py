"""The nouns: their fields, their tables, the rules that hold for them."""
