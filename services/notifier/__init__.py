"""Tells people in a chat what cannot wait for them to look: alerts, and signups of the CRITICAL segment."""
