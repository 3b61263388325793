"""One network per file; the name of the file is the channel type."""
