#!/usr/bin/env bash
# In the machine of service.sh: start Docker, run `doctor` in the image, test compose.yaml.
set -euo pipefail
# On an emulated CPU a template of a slot starts in 3 to 10 s, and no compiler but gcc ends within its limits.
export SETUP_TIMEOUT_SECS=120 LANGUAGES=python,c

say() { printf 'vm: %s (%d s)\n' "$*" "$SECONDS"; }
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount /dev/vdc /data
dockerd --data-root /data/docker >/tmp/dockerd.log 2>&1 &
for _ in $(seq 300); do
    docker info >/dev/null 2>&1 && break
    sleep 1
done
say "$(docker --version)"

# The documented privileges, as in infra/image/test.sh.
privileges=(--user 0 --read-only --tmpfs /run --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges
    -v /sys/fs/cgroup:/sys/fs/cgroup:rw --cgroupns host)
for capability in SYS_ADMIN SYS_CHROOT SETUID SETGID SETPCAP CHOWN KILL; do
    privileges+=("--cap-add=$capability")
done
docker run --rm --network none "${privileges[@]}" -e SETUP_TIMEOUT_SECS -e TOOLCHAINS_DIR=/opt/rustbox/toolchains \
    -e PYTHONPATH=/opt/rustbox/app:/opt/rustbox/site --entrypoint python3 rustbox -m sandbox_runtime doctor
say "doctor has ended; testing compose.yaml"
PYTHONPATH=$PWD/.site:$PWD python3 -m pytest -p no:cacheprovider --color=no -v tests/image/test_service.py
