"""The language that all services speak."""
