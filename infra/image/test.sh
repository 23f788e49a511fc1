#!/usr/bin/env bash
# Build the runner's image and test it with no more privileges than docs/runner.md names: the jail's tests inside it,
# then its health check from outside.
#
#   infra/image/test.sh [pytest arguments]     default: slots, languages and the hostile programs inside, health check
#
# Uses a Docker engine that runs already, else installs and starts one of its own for this run (no bridge, no iptables).
# The base image is made from Debian's packages when it is not there. RUSTBOX_TEST_SLOWNESS=5 gives programs five times
# the time, for a machine that is busy with other work.
set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
place=$project/.state/image
say() { printf 'image: %s\n' "$*" >&2; }
mkdir -p "$place"

for package in docker.io docker-cli docker-buildx mmdebstrap; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed' || missing="${missing:-} $package"
done
if [ -n "${missing:-}" ]; then
    say "installing$missing"
    # shellcheck disable=SC2086 # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# An engine leaves mounts behind, and empty groups.
stop_engine() {
    kill "$engine"
    wait "$engine" || true
    for mount in "$place"/exec/netns/* "$place/data"; do
        ! mountpoint -q "$mount" || umount "$mount"
    done
    # Only empty ones can be removed.
    rmdir /sys/fs/cgroup/{,*/}docker/buildkit 2>/dev/null || true
    rmdir /sys/fs/cgroup/{,*/}docker 2>/dev/null || true
}

if ! docker info >/dev/null 2>&1; then
    export DOCKER_HOST=unix://$place/docker.sock
    say "starting an engine for this run"
    dockerd --iptables=false --ip6tables=false --bridge=none -H "$DOCKER_HOST" --data-root "$place/data" \
        --exec-root "$place/exec" -p "$place/docker.pid" >"$place/dockerd.log" 2>&1 &
    engine=$!
    trap stop_engine EXIT
    for _ in $(seq 100); do
        docker info >/dev/null 2>&1 && break
        kill -0 "$engine" || { tail -5 "$place/dockerd.log" >&2; exit 1; }
        sleep 0.2
    done
fi

docker image inspect debian:trixie-slim >/dev/null 2>&1 || {
    say "making the base image"
    mmdebstrap --quiet --variant=minbase trixie - | docker import - debian:trixie-slim >/dev/null
}

secret=()
[ -z "${SSL_CERT_FILE:-}" ] || secret=(--secret "id=ca,src=$SSL_CERT_FILE")
say "building"
docker build --quiet --network host "${secret[@]}" -t rustbox-runner "$project/sandbox_runtime" >/dev/null
say "size: $(docker image inspect -f '{{.Size}}' rustbox-runner | awk '{printf "%.2f GB", $1 / 1e9}')"

# The documented ones, and nothing else.
privileges=(--user 0 --read-only --tmpfs /run --tmpfs /tmp
    --cap-drop ALL --cap-add SYS_ADMIN --cap-add SYS_CHROOT --cap-add SETUID --cap-add SETGID
    --cap-add SETPCAP --cap-add CHOWN --cap-add KILL --security-opt no-new-privileges
    -v /sys/fs/cgroup:/sys/fs/cgroup:rw)

# The tests look for the toolchains beside themselves.
tree=$place/project
mkdir -p "$tree/tests"
ln -sfn /opt/rustbox/toolchains "$tree/.toolchains"
ln -sfn /opt/rustbox/app/sandbox_runtime "$tree/sandbox_runtime"
cp "$project/pyproject.toml" "$tree/"
site=$("$project/.venv/bin/python" -c 'import pytest, pathlib; print(pathlib.Path(pytest.__file__).parents[1])')
tests=("$@")
[ $# -gt 0 ] || tests=(tests/jail/test_slot.py tests/jail/test_languages.py tests/jail/test_language_specifics.py
    tests/jail/test_language_offering.py tests/jail/test_hostile{,_catalogue,_neighbours,_requests}.py)
# Controls that the container itself holds on to, so that no program can show what happens without them.
unprovable="no_capabilities no_new_privileges seccomp unreachable_network"
say "testing inside"
docker run --rm --no-healthcheck --network none "${privileges[@]}" \
    -v "$tree:/project:ro" -v "$project/tests:/project/tests:ro" -v "$site:/site:ro" \
    -w /project -e RUSTBOX_TEST_UNPROVABLE="$unprovable" -e RUSTBOX_TEST_SLOWNESS="${RUSTBOX_TEST_SLOWNESS:-1}" \
    -e PYTHONPATH=/opt/rustbox/app:/opt/rustbox/site:/site \
    --entrypoint python3 rustbox-runner -m pytest -p no:cacheprovider -o timeout=300 "${tests[@]}"
if [ $# -eq 0 ]; then
    say "testing the health check"
    RUSTBOX_IMAGE_PRIVILEGES="${privileges[*]}" "$project/.venv/bin/python" -m pytest -q "$project/tests/image"
fi
say "passed"
