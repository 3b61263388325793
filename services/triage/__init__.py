"""Triage: understands what came in and says what must be done with it."""
