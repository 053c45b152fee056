"""What operators count. The registry is the process's own, so that services running together share one page."""

from litestar.plugins.prometheus import PrometheusConfig
from prometheus_client import Counter

from eventlog.metrics import expect

expect(["signup_received"])
IGNORED = Counter("dripstream_ignored", "Webhooks understood and left alone", ["event"])
REFUSED = Counter("dripstream_refused", "Webhooks not taken in", ["reason"])

# Grouped by route: what callers put into a path must not become a label.
REQUESTS = PrometheusConfig(app_name="ingest", prefix="dripstream_http", group_path=True)
