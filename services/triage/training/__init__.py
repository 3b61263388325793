"""Refits of heads and models from labelled texts. Nothing that reads mentions imports this room."""
