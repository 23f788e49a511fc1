#!/usr/bin/env bash
# A Docker engine and the images, for scripts that test them. Sourced.
#
# An engine that runs already is used. Else one is started for this run, without a bridge and iptables, in $image_place.

image_project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
image_place=$image_project/.state/image
engine= # the process of an engine that was started here
image_say() { printf 'image: %s\n' "$*" >&2; }

install_engine() {
    local package missing=
    for package in docker.io docker-cli docker-buildx docker-compose mmdebstrap; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    image_say "installing$missing"
    apt-get update -qq </dev/null >/dev/null
    # shellcheck disable=SC2086 # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# start_engine FOLDER: sets `engine`, its process, and DOCKER_HOST. Set the trap with stop_engine before.
start_engine() {
    mkdir -p "$1"
    export DOCKER_HOST=unix://$1/docker.sock
    dockerd --iptables=false --ip6tables=false --ip-forward=false --bridge=none -H "$DOCKER_HOST" --data-root "$1/data" \
        --exec-root "$1/exec" -p "$1/docker.pid" >"$1/dockerd.log" 2>&1 &
    engine=$!
    for _ in $(seq 100); do
        docker info >/dev/null 2>&1 && return
        kill -0 "$engine" || break
        sleep 0.2
    done
    tail -5 "$1/dockerd.log" >&2
    return 1
}

# stop_engine FOLDER: an engine leaves mounts behind, and empty groups.
stop_engine() {
    local mount
    [ -z "$engine" ] || { kill "$engine" 2>/dev/null; wait "$engine"; } || true
    for mount in "$1"/exec/netns/* "$1/data"; do
        ! mountpoint -q "$mount" || umount "$mount"
    done
    # Only empty ones can be removed.
    rmdir /sys/fs/cgroup/{,*/}docker/buildkit 2>/dev/null || true
    rmdir /sys/fs/cgroup/{,*/}docker 2>/dev/null || true
}

# build_image TAG [docker build arguments]: from the sources. The base is made of Debian's packages when it is not there.
build_image() {
    local secret=() tag=$1
    shift
    docker image inspect debian:trixie-slim >/dev/null 2>&1 || {
        image_say "making the base image"
        mmdebstrap --quiet --variant=minbase trixie - | docker import - debian:trixie-slim >/dev/null
    }
    [ -z "${SSL_CERT_FILE:-}" ] || secret=(--secret "id=ca,src=$SSL_CERT_FILE")
    image_say "building $tag"
    docker build --quiet --network host "${secret[@]}" -t "$tag" "$@" \
        --file "$image_project/sandbox_runtime/Dockerfile" "$image_project" >/dev/null
}
