#!/usr/bin/env bash
# Test compose.yaml with Docker in a virtual machine with AppArmor, that has cgroup v2 only: `doctor` and hostile programs
# in the image, then the three patterns, a restart that keeps the state, webhooks to the host (tests/image/test_service.py).
#
#   tests/rigs/vm/service.sh                      all of that
#   tests/rigs/vm/service.sh PYTEST-ARGUMENT...   these tests of the jail, in the image
#
# The image is built with a Docker engine of this host, as `make test-image` does. RUSTBOX_VM_LIMIT_SECS.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"
. "$project/infra/image/engine.sh"

[[ $architecture == x86_64 ]] || { say "the image is built for the CPU of this host: x86_64 only"; exit 2; }
install_tools
install_engine
make_work
make_system docker 3G docker.io,docker-cli,docker-compose,iptables,kmod,python3,ca-certificates,apparmor

say "building the image"
started=
docker info >/dev/null 2>&1 || { trap 'stop_engine "$image_place"; rm -rf "$work"' EXIT; start_engine "$image_place"; started=1; }
build_image rustbox --target service
docker save rustbox --output "$work/rustbox.tar"
# The machine gets the engine's own folder with the image in it: to load it there would take ten minutes.
mkdir "$work/data"
(
    trap 'stop_engine "$work/data"' EXIT
    start_engine "$work/data"
    docker load --quiet --input "$work/rustbox.tar" >/dev/null
)
mv "$work/data/data" "$work/data/docker"
rm "$work/rustbox.tar"
[[ -z $started ]] || { stop_engine "$image_place"; trap 'rm -rf "$work"' EXIT; }
truncate -s 8G "$work/data.img"
mkfs.ext4 -q -d "$work/data" "$work/data.img"
rm -rf "$work/data"

say "copying the project"
copy_project
site=$("$project/.venv/bin/python" -c 'import pytest, pathlib; print(pathlib.Path(pytest.__file__).parents[1])')
for entry in "$site"/*; do
    case ${entry##*/} in
        # Large, and nothing that these tests import.
        playwright | sympy | cfnlint | moto | samcli | mypy | *__mypyc* | networkx | ministack | pip) ;;
        *) cp -a "$entry" "$guest/.site/" ;;
    esac
done
# Compiling is slow in there. The system's Python is the version that setup prefers.
"$project/.venv/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$guest"/{events,functions,infra,sandbox_runtime,tests/{image,system},tests/jail/{hostile,weakened}}
{
    printf 'export RUSTBOX_TEST_SLOWNESS=%q\n' "${RUSTBOX_TEST_SLOWNESS:-15}"
    printf 'exec bash tests/rigs/vm/service_tests.sh'
    (($# == 0)) || printf ' %q' "$@"
    printf '\n'
} >"$guest/.command.sh"
make_project_disk
boot "${RUSTBOX_VM_LIMIT_SECS:-5400}" 6144 "mount /dev/vdb /project && exec sh /project/tests/rigs/vm/init.sh" \
    "$work/project.img" "$work/data.img"
