#!/bin/sh
# Start nats-server on the configuration beside this file, in a container and by systemd alike, with each password from
# the environment or from a file in SECRETS. It refuses where one is missing or empty: with an empty one anybody is that
# user, and nats-server itself would not mind. It refuses what is more than letters, digits, _ and - as well: the server
# reads it as a line of its configuration, where `"" # x` is empty too. `--check` only looks. busybox is enough.
set -eu

SECRETS=${SECRETS:-/run/dripstream}
missing='' unfit=''
for user in INGEST SCHEDULER SENDER NOTION_SYNC NOTIFIER OPERATOR; do
  name=NATS_${user}_PASSWORD
  file=$SECRETS/$(echo "$name" | tr '[:upper:]' '[:lower:]')
  eval "given=\${$name:-}"
  if [ -n "$given" ] && [ -e "$file" ]; then
    echo "dripstream: $name is set, and $file is there too: leave one out" >&2
    exit 1
  elif [ -z "$given" ] && [ -r "$file" ]; then
    given=$(cat "$file")
  fi
  case $given in
    *[![:space:]\"\']*) export "$name=$given" ;;
    *) missing="$missing $name" ;;  # not there, or nothing but blanks and quotes
  esac
  case $given in [!A-Za-z]* | *[!A-Za-z0-9_-]*) unfit="$unfit $name" ;; esac
done
if [ -n "$missing" ]; then
  echo "dripstream: no password for$missing" >&2
  echo "dripstream: on a server, run deploy/install.sh; with compose, run deploy/make-secrets.sh /etc/dripstream/secrets and" \
    "set SECRETS_DIR to that folder, or set these variables. To try things out with neither: --profile dev" >&2
  exit 1
fi
if [ -n "$unfit" ]; then
  echo "dripstream: a password here has letters, digits, _ and -, and begins with a letter; choose another for$unfit" >&2
  exit 1
fi
[ "${1:-}" = --check ] || exec nats-server --config "${0%/*}/${NATS_CONFIG:-nats.conf}"
