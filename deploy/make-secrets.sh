#!/bin/sh
# Make what each service shows the broker: deploy/make-secrets.sh /etc/dripstream/secrets
#
# A folder per service, which is all that its container sees: its password, and a `.env` that names it. The folder `nats`
# has all of them, for the server. What exists is kept, so run it again after an upgrade that brings a new service.
# To change a password, remove its two files, run this, and start the broker and that service again.
#
# --dev: for the containers of profile dev. Ingest then takes unsigned webhooks, and the notifier posts to the sandbox.
set -eu

dir=${1:?"say where: $0 /etc/dripstream/secrets"}
case $dir in /*) ;; *) echo "$0: give the whole path of the folder, not $dir" >&2; exit 1 ;; esac

# Letters and digits, beginning with a letter: nats-server reads a number in anything that looks like one.
password() { printf 'p%s\n' "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"; }

# At once or not at all: a container may be reading.
write() { cat >"$1.new" && chmod 444 "$1.new" && mv "$1.new" "$1"; }

# Nobody else on this machine gets past the folder itself, also where it was there before. Inside, a container's user has
# to read its own. With profile dev the folder is on a root that nobody can change.
mkdir -p "$dir"
[ "${2:-}" = --dev ] || chmod 700 "$dir"
umask 022
for service in ingest scheduler sender notion-sync notifier operator; do
  mkdir -p "$dir/nats" "$dir/$service"
  kept=$dir/nats/nats_$(echo "$service" | tr - _)_password
  [ -s "$kept" ] || password | write "$kept"
  cmp -s "$kept" "$dir/$service/nats_password" || write "$dir/$service/nats_password" <"$kept"
  [ -f "$dir/$service/.env" ] || echo NATS_PASSWORD_FILE=/run/dripstream/nats_password | write "$dir/$service/.env"
done
if [ "${2:-}" = --dev ]; then
  for more in ingest/DRIPSTREAM_ALLOW_UNSIGNED=true \
    notifier/NOTIFY_WEBHOOK_URL=http://sandbox:8025/discord/api/webhooks/1/dev; do
    printf '%s\n' NATS_PASSWORD_FILE=/run/dripstream/nats_password "${more#*/}" | write "$dir/${more%%/*}/.env"
  done
fi
