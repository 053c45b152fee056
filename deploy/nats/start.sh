#!/bin/sh
# Start nats-server in a container, with each password from the environment or from a file in SECRETS. `--check` only
# looks whether they are there. busybox is enough.
set -eu

SECRETS=${SECRETS:-/run/dripstream}
missing=
for user in INGEST SCHEDULER SENDER NOTION_SYNC NOTIFIER OPERATOR; do
  name=NATS_${user}_PASSWORD
  file=$SECRETS/$(echo "$name" | tr '[:upper:]' '[:lower:]')
  eval "given=\${$name:-}"
  if [ -n "$given" ] && [ -e "$file" ]; then
    echo "dripstream: $name is set, and $file is there too: leave one out" >&2
    exit 1
  elif [ -n "$given" ]; then
    continue
  elif [ -r "$file" ] && [ -s "$file" ]; then
    export "$name=$(cat "$file")"
  else
    missing="$missing $name"
  fi
done
if [ -n "$missing" ]; then
  echo "dripstream: no password for$missing" >&2
  echo "dripstream: run deploy/make-secrets.sh /etc/dripstream/secrets and set SECRETS_DIR to that folder, or set these" \
    "variables. To try things out with neither: --profile dev" >&2
  exit 1
fi
[ "${1:-}" = --check ] || exec nats-server --config "/etc/dripstream/${NATS_CONFIG:-nats.conf}"
