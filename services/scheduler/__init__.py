"""Facts to timers: fold a contact, plan, and bring the bucket `timers` into line."""
