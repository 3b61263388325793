"""Working on it: reading, answering, configuring, measuring, and telling the world."""
