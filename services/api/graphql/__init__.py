"""Door 2: the nouns and verbs of the desk over GraphQL."""
