"""The application layer: one file for each noun, one function for each verb; pure of HTTP and GraphQL."""
