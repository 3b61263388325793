"""Changes that more than one service makes: row, clock event and fact together, in the caller's transaction."""
