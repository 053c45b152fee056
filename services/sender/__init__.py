"""Due emails to Resend, each exactly once: last check, claim, call, record."""
