"""Listening: what people say about a brand, counted, ranked and quoted. It reads the series and writes its own rows."""
