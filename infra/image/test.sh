#!/usr/bin/env bash
# Build the images and test them with no more privileges than docs/runner.md names: the jail's tests inside the runner's,
# those of data packages inside the image with them, then that each of the privileges is needed, then all that uses the
# images from outside.
#
#   infra/image/test.sh [pytest arguments]     default: the jail's suite inside, each privilege left out, uses from outside
#
# Uses a Docker engine that runs already, else installs and starts one of its own for this run (no bridge, no iptables).
# The base image is made from Debian's packages when it is not there. RUSTBOX_TEST_SLOWNESS=5 gives programs five times
# the time, for a machine that is busy with other work.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/engine.sh"
. "$(dirname "${BASH_SOURCE[0]}")/inside.sh"
project=$image_project place=$image_place
say() { image_say "$@"; }

install_engine
if ! docker info >/dev/null 2>&1; then
    say "starting an engine for this run"
    trap 'stop_engine "$place"' EXIT
    start_engine "$place"
fi
build_image rustbox-runner
build_image rustbox --target service
build_image rustbox-runner:data --target runner-data
build_image rustbox:data --target service-data
for image in rustbox-runner rustbox-runner:data; do
    say "size: $image $(docker image inspect -f '{{.Size}}' "$image" | awk '{printf "%.2f GB", $1 / 1e9}')"
done

tests=("$@")
# Left out are tests that call toolchains by hand (the image has only those that the jail calls), that run as an ordinary
# user (Docker's filter gives it no user namespace), that read the memory or the namespaces of the template
# (CAP_SYS_PTRACE), and that need the kernel's own answers (Docker's filter refuses first).
by_number=tests/jail/test_seccomp.py::test_every_call_number_is_answered_as_the_policy_says
without_filter=tests/jail/test_seccomp.py::test_without_the_filter_the_kernel_answers_many_calls_that_the_policy_refuses
by_argument=tests/jail/test_seccomp.py::test_calls_with_a_check_are_answered_by_their_arguments
[ $# -gt 0 ] || tests=(tests/jail/test_{slot,slot_robustness,answer,groups,evidence,seccomp,reuse,run_command}.py
    tests/jail/test_{next_namespaces,warm_start,python_fork,waiting_commands,interpreter_fidelity,language{s,_specifics,_offering}}.py
    tests/jail/test_hostile{,_catalogue,_neighbours,_requests}.py
    "--deselect=$by_number" "--deselect=$without_filter" "--deselect=$by_argument"
    --deselect=tests/jail/test_next_namespaces.py::test_the_template_leaves_the_namespaces_of_a_run_after_it
    --deselect=tests/jail/test_next_namespaces.py::test_without_namespaces_in_advance_each_run_creates_its_own
    --deselect=tests/jail/test_warm_start.py::test_the_template_has_never_read_anything_of_a_run
    --deselect=tests/jail/test_warm_start.py::test_a_guest_that_overwrites_its_interpreter_changes_no_other_process
    --deselect=tests/jail/test_python_fork.py::test_nothing_of_the_host_is_on_the_command_line_of_the_template)
export RUSTBOX_TEST_REUSES=${RUSTBOX_TEST_REUSES:-300}
prepare_inside "$project" "$place/project" \
    "$("$project/.venv/bin/python" -c 'import pytest, pathlib; print(pathlib.Path(pytest.__file__).parents[1])')"
say "testing inside"
"${inside[@]}" "${privileges[@]}" --entrypoint python3 rustbox-runner \
    -m pytest -p no:cacheprovider -o timeout=300 "${tests[@]}"

if [ $# -eq 0 ]; then
    say "testing data packages inside"
    "${inside[@]}" "${privileges[@]}" -e RUSTBOX_TEST_DATA_PACKAGES=/opt/rustbox/toolchains/data --entrypoint python3 \
        rustbox-runner:data -m pytest -p no:cacheprovider -o timeout=300 tests/jail/test_data_{packages,slot}.py
fi

# Whether all controls are in force, and a compile step's left-over processes can be ended, with these privileges.
leftover=tests/jail/test_slot.py::test_processes_of_a_step_end_before_its_file_is_read
is_enough() {
    "${inside[@]}" "${confined[@]}" "$@" --entrypoint sh rustbox-runner \
        -c "python3 -m sandbox_runtime doctor && python3 -m pytest -q -p no:cacheprovider $leftover" >"$place/enough.log" 2>&1
}
if [ $# -eq 0 ]; then
    say "leaving out one privilege at a time"
    is_enough "${capabilities[@]/#/--cap-add=}" "${groups[@]}" || {
        tail -30 "$place/enough.log" >&2
        say "all of the privileges are not enough"
        exit 1
    }
    for left_out in "${capabilities[@]}" groups; do
        kept=()
        for capability in "${capabilities[@]}"; do
            [ "$capability" = "$left_out" ] || kept+=("--cap-add=$capability")
        done
        [ "$left_out" = groups ] || kept+=("${groups[@]}")
        if is_enough "${kept[@]}"; then
            say "$left_out is not needed: docs/runner.md names too much"
            exit 1
        fi
    done
    say "testing the health check, the images with data packages, both compose files, the unit's commands in a chroot, and a deployed stage"
    deployed=$project/tests/system/test_deployment.py::test_a_stage_is_created_used_updated_and_deleted
    RUSTBOX_IMAGE_PRIVILEGES="${privileges[*]}" "$project/.venv/bin/python" -m pytest -q "$project/tests/image" "$deployed"
fi
say "passed"
