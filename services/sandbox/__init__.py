"""Strict local stand-ins for the Resend and Notion APIs, with a page to look at both.

For development, demos, tests and chaos runs only. Whatever the real providers refuse is refused here too, so
that a run against the sandbox that passes is worth something.
"""
