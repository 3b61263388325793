"""Whole ways through the running processes, from one door to the other."""
