#!/usr/bin/env bash
# Start the whole service: natively where this host is supported, else in a container of Docker or Podman.
#
# macOS runs this with Bash 3.2.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. infra/setup/host.sh

# The time to the first answer counts from here, installation and builds included.
started_at=${EPOCHREALTIME:-$(date +%s)} # whole seconds with Bash 3.2
export RUSTBOX_STARTED_AT=${started_at/,/.} # some locales have a comma

read_host
if [[ -n $host_support ]]; then
  bash infra/setup/install.sh --run
  exec .venv/bin/python -m infra.local up
fi
echo "up: $host has no native setup (Debian 13 and testing, Ubuntu 24.04 and 26.04 have): the service starts in a container"
bash infra/setup/preflight.sh --container || exit
echo "up: the first build takes some minutes"
# Built each time, because sources may have changed; without changes that takes seconds.
engine=$(find_container_engine)
if [[ $engine == podman ]]; then
  # podman-compose passes no `cgroup: host` on, and finds no default of a variable that the service's environment names.
  export CONTAINERS_CONF_OVERRIDE=$PWD/infra/image/podman.conf
  export PORT=${PORT:-4096} SETUP_TIMEOUT_SECS=${SETUP_TIMEOUT_SECS:-} RUSTBOX_HOSTS=${RUSTBOX_HOSTS:-}
fi
exec "$engine" compose up --build
