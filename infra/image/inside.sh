#!/usr/bin/env bash
# The jail's tests inside an image, with no more privileges than docs/runner.md names. Sourced by the scripts that run them.

# The documented ones, and nothing else.
capabilities=(SYS_ADMIN SYS_CHROOT SETUID SETGID SETPCAP CHOWN KILL)
confined=(--user 0 --read-only --tmpfs /run --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges)
groups=(-v /sys/fs/cgroup:/sys/fs/cgroup:rw)
# With cgroup v2 a namespace of the container's own would hide where in the host's tree it is.
[ ! -e /sys/fs/cgroup/cgroup.controllers ] || groups+=(--cgroupns host)
privileges=("${confined[@]}" "${capabilities[@]/#/--cap-add=}" "${groups[@]}")

# prepare_inside PROJECT FOLDER SITE: sets `inside`, a `docker run` that finds the tests, and pytest in SITE. FOLDER is
# for the links to the toolchains and the runner of the image, which the tests look for beside themselves.
prepare_inside() {
    # The container keeps these controls, so no program can show the effect of their absence. test_evidence tells our
    # filter from the container's.
    local name unprovable="no_capabilities no_new_privileges seccomp unreachable_network"
    mkdir -p "$2/tests"
    ln -sfn /opt/rustbox/toolchains "$2/.toolchains"
    ln -sfn /opt/rustbox/app/sandbox_runtime "$2/sandbox_runtime"
    ln -sfn /opt/rustbox/app/events "$2/events"
    cp "$1/pyproject.toml" "$2/"
    # The tests build small programs, and Docker's /tmp executes none.
    inside=(docker run --rm --no-healthcheck --network none
        --tmpfs /scratch:exec -e PYTEST_ADDOPTS=--basetemp=/scratch/pytest
        -v "$2:/project:ro" -v "$1/tests:/project/tests:ro" -v "$3:/site:ro" -w /project
        -e RUSTBOX_TEST_UNPROVABLE="$unprovable" -e PYTHONPATH=/opt/rustbox/app:/opt/rustbox/site:/site)
    for name in $(compgen -e RUSTBOX_TEST_); do
        inside+=(-e "$name")
    done
}
