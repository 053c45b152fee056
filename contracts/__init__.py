"""What crosses the wire: facts, messages, ids, subjects and the codec. Pure; imports nothing of ours."""
