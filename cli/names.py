"""The services, as operators call them. Nothing is imported here: the commands that list them are to start fast."""

SERVICES = ("ingest", "scheduler", "sender", "notion-sync", "notifier")

CONSUMERS = ("sender", "scheduler", "notion-sync", "notifier")
"""Those that read a stream, and so can be paused."""

REPLAYED = ("scheduler", "notion-sync")
"""Those that may read all of it again: whatever they have done already they find done."""

PROVIDERS = {"sender": "Resend", "notion-sync": "Notion"}
"""Whom a service talks to. The others are given no key, and have nothing to say about one that is missing."""

OPERATOR = "operator"
"""The user of every command; a service has one of its own name."""
