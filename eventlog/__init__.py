"""The only home of JetStream I/O: connection, topology, append, history, consume, timers, claims, pages."""
