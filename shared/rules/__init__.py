"""The arithmetic of the field: pure functions of their arguments, without clock, database or network."""
