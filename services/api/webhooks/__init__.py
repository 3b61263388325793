"""The world is told: events signed, delivered, tried again, by the rules of Standard Webhooks 1.0."""
