#!/usr/bin/env bash
# Dripstream on one Debian or Ubuntu machine, without Docker. docs/server.md is the guide. Run it again at any time: it
# changes what differs, keeps every setting, secret and fact, and starts again only what it has changed.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'EOF'
Install, upgrade or remove Dripstream on Debian 12, Ubuntu 24.04 or newer. Run it as root, in a checkout.

  deploy/install.sh                install or upgrade to this checkout, then start
  deploy/install.sh --no-start     the same, and start nothing
  deploy/install.sh --roll-back    back to the release that was there before the last upgrade
  deploy/install.sh --uninstall    stop, and remove programs and units; settings, secrets, facts and logs stay
  deploy/install.sh --uninstall --purge    remove those too: nothing is left

  --dry-run        say what would be done, and do nothing
  --python PATH    the Python to use, 3.11 or newer [default: python3]
  --root DIR       put the files under DIR, without packages, user or start: to look at them, or to build an image
  -h, --help       this

REQUIREMENTS=otel before it also installs what sends traces. Say so with every upgrade, or they end with it.

It puts programs into /opt/dripstream, settings and secrets into /etc/dripstream, facts into /var/lib/dripstream.
EOF
}

DRY='' ROOT='' START=yes PYTHON=python3 ACTION=install PURGE='' CHANGED=''
REQUIREMENTS=${REQUIREMENTS:-base}
RESTART=/opt/dripstream/.restart # there while something has changed that does not run yet
SERVICES=(ingest scheduler sender notion-sync notifier)
NATS_USERS=(INGEST SCHEDULER SENDER NOTION_SYNC NOTIFIER OPERATOR)
GIVEN_SECRETS=(RESEND_API_KEY NOTION_TOKEN NOTIFY_WEBHOOK_URL)
WEBHOOK_SECRETS=(SIGNUP_WEBHOOK_SECRET CALCOM_WEBHOOK_SECRET RESEND_WEBHOOK_SECRET)

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

run() { # a command that changes something
  if [[ $DRY ]]; then printf 'would run: %s\n' "$*"; else "$@"; fi
}

changed() { # remembered in a file: this run may start nothing, or be interrupted before it does
  CHANGED=yes
  [[ $DRY ]] && return
  mkdir -p "$ROOT${RESTART%/*}"
  touch "$ROOT$RESTART"
}

put() { # put MODE OWNER PATH < content: written whole or not at all, and only where it differs
  local mode=$1 owner=$2 path=$ROOT$3 new
  if [[ $DRY ]]; then
    cmp -s - "$path" || { cat >/dev/null; say "would write: $path ($mode $owner)"; } # whoever says it must be heard out
    return
  fi
  mkdir -p "$(dirname "$path")"
  new=$(mktemp "$path.XXXXXX")
  cat >"$new"
  chmod "$mode" "$new"
  [[ $ROOT ]] || chown "$owner" "$new"
  if cmp -s "$new" "$path"; then rm "$new"; else changed; mv "$new" "$path"; say "wrote $path"; fi
  [[ $ROOT ]] || chown "$owner" "$path"
  chmod "$mode" "$path"
}

parse() {
  while (($#)); do
    case $1 in
      --dry-run) DRY=yes ;;
      --no-start) START='' ;;
      --roll-back) ACTION=roll_back ;;
      --uninstall) ACTION=uninstall ;;
      --purge) PURGE=yes ;;
      --python) PYTHON=${2:?--python needs a path}; shift ;;
      --root) ROOT=${2:?--root needs a folder}; shift ;;
      -h | --help) usage; exit ;;
      *) usage >&2; fail "unknown option $1" ;;
    esac
    shift
  done
  [[ ! $PURGE || $ACTION == uninstall ]] || fail "--purge goes with --uninstall"
  [[ ! $ROOT || $ACTION == install ]] || fail "--root goes with an installation only"
  case $REQUIREMENTS in base | otel) ;; *) fail "REQUIREMENTS is base or otel, not $REQUIREMENTS" ;; esac
  ROOT=${ROOT%/}
}

check_machine() {
  [[ -f deploy/nats/nats.conf && -f pyproject.toml ]] || fail "this is not a whole checkout of Dripstream"
  [[ $ROOT || $DRY ]] && return
  ((EUID == 0)) || fail "run it as root: sudo deploy/install.sh"
  local version
  version=$(systemctl --version 2>/dev/null | awk 'NR == 1 {print $2}')
  ((${version%%[!0-9]*} + 0 >= 251)) || fail "systemd 251 or newer is needed (Debian 12, Ubuntu 24.04); found ${version:-none}"
  exec 9>/run/dripstream-install.lock
  flock --nonblock 9 || fail "another install.sh is at work"
}

check_python() {
  "$PYTHON" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "$PYTHON is not Python 3.11 or newer with venv; apt-get install python3-venv, or name another: --python PATH"
}

# A release is named after what is in it, so the same checkout is the same release.
release_id() {
  local sum
  sum=$(find pyproject.toml "requirements/$REQUIREMENTS.txt" requirements/build.txt contracts journey eventlog services cli \
    campaigns deploy docs -type f ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
  printf '%s-%s' "$(sed -nE 's/^version = "(.*)"/\1/p' pyproject.toml)" "${sum:0:12}"
}

make_user() {
  [[ $ROOT ]] && return
  getent passwd dripstream >/dev/null ||
    run useradd --system --user-group --home-dir /var/lib/dripstream --no-create-home --shell /usr/sbin/nologin dripstream
}

make_release() { # make_release FOLDER: complete, or not there
  local folder=$1 work
  [[ -e $folder/.complete ]] && { say "$folder is there already"; return; }
  run rm -rf "$folder"
  run mkdir -p "$folder"
  run cp -r deploy docs campaigns README.md .env.example LICENSE "$folder/"
  run chmod -R u=rwX,go=rX "$folder" # whatever the checkout's owner keeps to himself
  if [[ ! $ROOT ]]; then
    say "installing packages, each with the hash we know"
    if [[ ! $DRY ]]; then work=$(mktemp -d); else work=/tmp/dripstream-build; fi
    run "$PYTHON" -m venv "$folder/venv"
    run "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "requirements/$REQUIREMENTS.txt"
    run "$PYTHON" -m venv "$work/build"
    run "$work/build/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/build.txt
    run "$work/build/bin/python" -m hatchling build -t wheel -d "$work/dist"
    run "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --find-links "$work/dist" dripstream
    run rm -rf "$work"
  fi
  run touch "$folder/.complete"
}

is_set() { grep -q '[^[:space:]]' "$1" 2>/dev/null; } # a file of blanks would be an empty password

random() { printf 'p%s\n' "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"; } # begins with a letter: see users.conf

make_secrets() {
  local name folder=/etc/dripstream/secrets
  run install -d -m 0700 "$ROOT$folder"
  for name in "${NATS_USERS[@]}"; do
    is_set "$ROOT$folder/NATS_${name}_PASSWORD" || random | put 0600 root:root "$folder/NATS_${name}_PASSWORD"
  done
  # Behind a proxy every webhook seems to come from this machine, so none may go unsigned, from the first start on.
  for name in "${WEBHOOK_SECRETS[@]}"; do
    is_set "$ROOT$folder/$name" || printf 'whsec_%s\n' "$(head -c 32 /dev/urandom | base64)" | put 0600 root:root "$folder/$name"
  done
  # Those that come from elsewhere. An empty file is an unset secret.
  for name in "${GIVEN_SECRETS[@]}"; do
    [[ -e $ROOT$folder/$name ]] || put 0600 root:root "$folder/$name" </dev/null
  done
}

# 70 % of what is free where the facts go, and of what they have already; in whole gigabytes, unless it is less than one.
max_store() {
  local store=$ROOT/var/lib/dripstream/nats folder kept=0
  [[ -d $store ]] && kept=$(du -sm "$store" | cut -f1)
  folder=$store
  until [[ -d $folder ]]; do folder=$(dirname "$folder"); done
  df --output=avail -BM "$folder" | awk -v kept="$kept" \
    'NR == 2 {n = int(($1 + kept) * 0.7); if (n >= 1024) print int(n / 1024) "GB"; else print (n < 100 ? 100 : n) "MB"}'
}

make_settings() {
  local owner=root:dripstream
  [[ -e $ROOT/etc/dripstream/env ]] || put 0640 $owner /etc/dripstream/env <deploy/systemd/env.example
  [[ -e $ROOT/etc/dripstream/nats.env ]] || put 0640 $owner /etc/dripstream/nats.env <<EOF
# This nats-server. /opt/dripstream/current/deploy/nats/common.conf explains each; passwords are in secrets/. Restart
# after a change: systemctl restart dripstream.target
NATS_NAME=$(hostname)
NATS_LISTEN=127.0.0.1:4222
NATS_MONITOR=127.0.0.1:8222
NATS_STORE='"/var/lib/dripstream/nats"'
NATS_MAX_FILE_STORE=$(max_store)
EOF
  if [[ ! -e $ROOT/etc/dripstream/campaigns ]]; then
    run cp -r campaigns "$ROOT/etc/dripstream/campaigns"
    run chmod -R u=rwX,go=rX "$ROOT/etc/dripstream/campaigns"
  fi
  run chmod 0755 "$ROOT/etc/dripstream"
}

make_units() {
  local unit
  for unit in deploy/systemd/*.service deploy/systemd/*.timer deploy/systemd/*.target; do
    put 0644 root:root "/etc/systemd/system/${unit##*/}" <"$unit"
  done
  put 0644 root:root /etc/systemd/system/dripstream-.service.d/10-hardening.conf <deploy/systemd/dripstream-.service.d/10-hardening.conf
  put 0644 root:root /etc/systemd/journald@dripstream.conf <deploy/systemd/journald@dripstream.conf
  put 0755 root:root /usr/local/bin/dripstream <deploy/systemd/dripstream-command
}

# What campaigns say is checked by the new release before anything changes over to it.
check_campaigns() {
  [[ $ROOT || $DRY ]] && return
  "$1/venv/bin/dripstream" campaigns check --campaigns-dir /etc/dripstream/campaigns ||
    fail "the new release refuses a campaign; mend it and run this again. What runs is still the old release."
}

switch_to() { # switch_to RELEASE
  local base=$ROOT/opt/dripstream now
  now=$(readlink "$base/current" || true)
  [[ $now == "releases/$1" ]] && return
  changed
  [[ $now ]] && run ln -sfn "$now" "$base/previous"
  run ln -sfn "releases/$1" "$base/current"
  say "current release: $1"
}

forget_old_releases() { # the current one and the one before stay
  local each base=$ROOT/opt/dripstream
  for each in "$base"/releases/*; do
    [[ -d $each ]] || continue
    case releases/${each##*/} in "$(readlink "$base/current")" | "$(readlink "$base/previous")") ;; *) run rm -rf "$each" ;; esac
  done
}

start() {
  [[ $ROOT ]] && return
  run systemctl daemon-reload
  run systemctl enable --quiet dripstream.target dripstream-nats.service dripstream-init.service dripstream-nats-watch.timer \
    "${SERVICES[@]/#/dripstream-}"
  [[ $START ]] || { say "Nothing was started: systemctl restart dripstream.target"; return; }
  run systemctl try-restart systemd-journald@dripstream.service
  # What runs and has not changed goes on; what has got its secret meanwhile starts.
  if [[ $CHANGED || -e $RESTART ]]; then
    run systemctl restart dripstream.target
    run rm -f "$RESTART"
  else
    run systemctl start dripstream.target
  fi
  [[ $DRY ]] || report
}

# To systemd a service has started once its process is there. Whether it runs is what it answers.
report() {
  local each service secret log='journalctl --namespace=dripstream -u'
  systemctl is-active --quiet dripstream-nats.service || fail "nats-server does not run; why: $log dripstream-nats"
  systemctl is-active --quiet dripstream-init.service || fail "streams are not as wanted; why: $log dripstream-init"
  for each in ingest: scheduler: sender:RESEND_API_KEY notion-sync:NOTION_TOKEN notifier:NOTIFY_WEBHOOK_URL; do
    service=dripstream-${each%%:*} secret=/etc/dripstream/secrets/${each#*:}
    if [[ $secret == */ || -s $secret ]]; then
      answers "${each%%:*}" || fail "$service does not run; why: $log $service"
    else
      say "$service waits for its secret: put it into $secret, then systemctl start $service"
    fi
  done
  say "Webhooks must be signed with the secrets in /etc/dripstream/secrets: give the website SIGNUP_WEBHOOK_SECRET and Cal.com"
  say "CALCOM_WEBHOOK_SECRET, and put Resend's own into RESEND_WEBHOOK_SECRET."
  say "Dripstream runs. See: systemctl list-units 'dripstream*'; dripstream doctor; journalctl --namespace=dripstream -f"
}

setting() { sed -nE "s/^$1=[\"']?([^\"']*)[\"']?\$/\1/p" /etc/dripstream/env | tail -1; }

answers() { # answers SERVICE: within three minutes, for a small machine starts all of them at once
  local host=127.0.0.1 port
  port=$(systemctl show --property=Environment "dripstream-$1.service" | sed -nE 's/.*DRIPSTREAM_HEALTH_PORT=([0-9]+).*/\1/p')
  if [[ ! $port ]]; then
    port=$(setting DRIPSTREAM_PORT)
    host=$(setting DRIPSTREAM_HOST)
    case $host in '' | 0.0.0.0) host=127.0.0.1 ;; ::) host='[::1]' ;; *:*) host="[$host]" ;; esac
  fi
  /opt/dripstream/current/venv/bin/python -I -S /opt/dripstream/current/deploy/systemd/nats_healthy.py \
    --url "http://$host:${port:-8000}/health" --within 180
}

install_all() {
  check_machine
  [[ $ROOT ]] || check_python
  local id folder
  id=$(release_id)
  folder=$ROOT/opt/dripstream/releases/$id
  make_user
  make_release "$folder"
  make_secrets
  make_settings
  check_campaigns "$folder"
  make_units
  switch_to "$id"
  [[ $DRY ]] || forget_old_releases
  start
}

roll_back() {
  check_machine
  local before
  before=$(readlink /opt/dripstream/previous) || fail "there is no release before this one"
  [[ -e /opt/dripstream/$before/.complete ]] || fail "$before is gone"
  cd "/opt/dripstream/$before" # its units, not those of this checkout
  check_campaigns "/opt/dripstream/$before"
  make_units
  switch_to "${before#releases/}"
  start
}

uninstall() {
  check_machine
  run systemctl disable --now --quiet dripstream.target "${SERVICES[@]/#/dripstream-}" dripstream-nats-watch.timer \
    dripstream-nats-watch.service dripstream-init.service dripstream-nats.service || true
  run rm -rf /opt/dripstream /usr/local/bin/dripstream /etc/systemd/journald@dripstream.conf \
    /etc/systemd/system/dripstream{.target,-*.service,-*.timer,-.service.d/10-hardening.conf}
  run systemctl daemon-reload
  run systemctl reset-failed 'dripstream*' 2>/dev/null || true
  run systemctl stop systemd-journald@dripstream.socket systemd-journald-varlink@dripstream.socket systemd-journald@dripstream.service || true
  if [[ ! $PURGE ]]; then
    say "Kept: /etc/dripstream, /var/lib/dripstream and the logs. With --purge they go too, and every fact with them."
    return
  fi
  run rm -rf /etc/dripstream /var/lib/dripstream /var/log/journal/*.dripstream /etc/systemd/system/dripstream*
  if getent passwd dripstream >/dev/null; then run userdel dripstream; fi
}

parse "$@"
case $ACTION in
  install) install_all ;;
  *) "$ACTION" ;;
esac
