"""Webhooks to facts: verify the raw body, translate it, append the fact, answer 202."""
