#!/usr/bin/env bash
# In the machine of service.sh: start Docker, then run `doctor` and hostile programs in the image, and test compose.yaml.
# With arguments only these tests of the jail run, in the image.
set -euo pipefail
. infra/image/inside.sh

say() { printf 'vm: %s (%d s)\n' "$*" "$SECONDS"; }
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount /dev/vdc /data
# Docker confines its containers with AppArmor where this is mounted.
mount -t securityfs securityfs /sys/kernel/security
apparmor_parser --replace infra/runner/apparmor.profile
dockerd --data-root /data/docker >/tmp/dockerd.log 2>&1 &
for _ in $(seq 300); do
    docker info >/dev/null 2>&1 && break
    sleep 1
done
say "$(docker --version), $(docker info --format '{{.SecurityOptions}}')"

# On an emulated CPU no compiler but gcc ends within its limits.
export RUSTBOX_TEST_LANGUAGES="python c"
prepare_inside "$PWD" /tmp/inside "$PWD/.site"
tests_inside() {
    "${inside[@]}" "${privileges[@]}" --security-opt apparmor=rustbox-runner --entrypoint python3 rustbox \
        -m pytest -p no:cacheprovider --color=no -o timeout=1800 --durations=8 "$@"
}
if (($#)); then
    tests_inside "$@"
    exit
fi

# There a template of a slot starts in 3 to 10 s.
export SETUP_TIMEOUT_SECS=120 LANGUAGES=python,c
doctor_under() {
    "${inside[@]}" "${privileges[@]}" --security-opt "apparmor=$1" -e SETUP_TIMEOUT_SECS \
        -e TOOLCHAINS_DIR=/opt/rustbox/toolchains --entrypoint python3 rustbox -m sandbox_runtime doctor
}
say "doctor under the profile of docs/runner.md"
doctor_under rustbox-runner
# It must say why it cannot isolate under Docker's own.
if doctor_under docker-default >/tmp/doctor.log; then
    say "doctor found no fault in a profile that denies mounts"
    exit 1
fi
grep "strict: AppArmor's profile docker-default" /tmp/doctor.log
# An attack on each control in C. In Python those on the limits and ends of runs, for which each version of control groups
# has its own way.
against_each_control=(abstract_socket burn_cpu_children change_input connect_out descriptors environment execute_from_tmp
    gain_capabilities group_path hidden_directories host_name identity inode_bomb leave_markers memory_tmpfs mount_api
    no_new_privileges other_processes output_flood own_limits proc_settings process_bomb read_host_files read_proc sleep
    system_v_segment write_outside)
against_groups=(burn_cpu_children fork_bomb_endless group_path kill_everything memory_child memory_tmpfs
    orphan_holds_stdout process_bomb)
hostile=()
for program in "${against_each_control[@]/%/.c}" "${against_groups[@]/%/.py}"; do
    language=c
    [[ $program != *.py ]] || language=python
    hostile+=("tests/jail/test_hostile.py::test_hostile_program_is_contained[$language/$program]")
done
say "doctor has ended; running ${#hostile[@]} hostile programs in the image"
tests_inside "${hostile[@]}"
say "testing compose.yaml"
PYTHONPATH=$PWD/.site:$PWD python3 -m pytest -p no:cacheprovider --color=no -v tests/image/test_service.py
