"""One nats-server and one ingest for all that is thrown at them."""

from tests.integration.ingest import one_ingest

shared, broker, ingest = one_ingest("package")
