"""One question per file, answered with findings for a whole batch."""
