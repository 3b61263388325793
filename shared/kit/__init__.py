"""Plumbing that knows no noun."""
