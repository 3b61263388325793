"""Mentions in, replies out: the one room that talks to networks."""
