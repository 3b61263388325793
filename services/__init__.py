"""The services: mentions come in through ingest, are understood by triage, are worked on through api."""
