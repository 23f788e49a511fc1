#!/usr/bin/env bash
# Follow the README on another distribution: `make up` with its first run, then the jail's tests. In a root of its own.
#
#   tests/rigs/hosts/test.sh                     the stages of `make jail`: the jail's whole suite and the hostile programs
#   tests/rigs/hosts/test.sh PYTEST-ARGUMENT...
#
# SUITE: a suite of Debian, default testing. RUSTBOX_PYTHON: the interpreter in it, default /usr/bin/python3.14.
# KEEP=1 keeps the root, .state/hosts/SUITE, for the next time. RUSTBOX_TEST_* is passed on; RUSTBOX_TEST_SLOWNESS=2 gives
# programs twice the time, on a machine that is busy with other work.
set -euo pipefail

suite=${SUITE:-testing}
export RUSTBOX_PYTHON=${RUSTBOX_PYTHON:-/usr/bin/python3.14} HOME=/root
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
root=$project/.state/hosts/$suite
port=4791
longest_start_secs=900

say() { printf 'hosts: %s (%d s)\n' "$*" "$SECONDS" >&2; }
fail() { say "$*"; exit 1; }
((EUID == 0)) || fail "needs root"
command -v mmdebstrap >/dev/null || {
    apt-get -q update </dev/null >/dev/null
    apt-get -q install -y --no-install-recommends mmdebstrap </dev/null >/dev/null
}

service=
finish() {
    [[ -z $service ]] || { kill -INT -- "-$service" && wait "$service"; } 2>/dev/null || true
    for mount in dev sys/fs/cgroup sys proc; do
        ! mountpoint -q "$root/$mount" || umount -R -l "$root/$mount"
    done
    [[ -n ${KEEP:-} ]] || rm -rf --one-file-system "$root.whole" "$root"
}
trap finish EXIT

if [[ ! -e $root.whole ]]; then # one whose making was interrupted is made anew
    say "making a root of $suite"
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    chmod 755 "$project/.state" "$project/.state/hosts" "$root" # apt downloads as a user of its own
    # The release file of a stored copy may have expired: apt.conf(5).
    mmdebstrap --quiet --variant=apt --include=ca-certificates,git,make,mount \
        --aptopt='Acquire::Check-Valid-Until "false"' "$suite" "$root"
    touch "$root.whole"
fi
# The host's way to packages: proxies, certificates, the settings of apt and pip.
cp -an /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
[[ ! -e /etc/pip.conf ]] || cp -a /etc/pip.conf "$root/etc/"
[[ ! -d ~/.config/pip ]] || { mkdir -p "$root/root/.config" && cp -a ~/.config/pip "$root/root/.config/"; }
for file in "${SSL_CERT_FILE:-}" "${PIP_CERT:-}"; do
    [[ -z $file ]] || install -D -m 644 "$file" "$root$file"
done
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
mountpoint -q "$root/sys" || mount -t sysfs -o ro sysfs "$root/sys"
mountpoint -q "$root/sys/fs/cgroup" || mount --rbind --make-rslave /sys/fs/cgroup "$root/sys/fs/cgroup"
mountpoint -q "$root/dev" || mount --rbind --make-rslave /dev "$root/dev"

say "copying the project"
mkdir -p "$root/rustbox"
(cd "$project" && git ls-files -co --exclude-standard -z | xargs -0 ls -d 2>/dev/null | tar cf - -T -) | tar xf - -C "$root/rustbox"
# Not by chroot, in which the kernel makes no user namespaces.
enter='mount --rbind "$0" "$0" && cd "$0" && pivot_root . . && umount -l . && cd /rustbox && exec /bin/bash -c "$1"'
inside() { unshare --mount --propagation slave /bin/sh -c "$enter" "$root" "$1"; }

say "make up, as the README says"
log=$root/rustbox/up.log
: >"$log"
set -m # a process group of its own, which Ctrl-C would reach as a whole
inside "exec make up PORT=$port" >"$log" 2>&1 </dev/null &
service=$!
set +m
until grep -q "ready; Ctrl-C" "$log"; do
    kill -0 "$service" 2>/dev/null || { tail -30 "$log" >&2; fail "make up ended"; }
    ((SECONDS < longest_start_secs)) || { tail -30 "$log" >&2; fail "make up is not ready after $longest_start_secs s"; }
    sleep 1
done
grep "first run" "$log" >&2
(($(grep -c 'first run.* AC ' "$log") == 3)) || fail "not all three patterns gave AC"
kill -INT -- "-$service"
wait "$service" && code=0 || code=$?
service=
((code == 0 || code == 130)) || fail "make up ended with exit code $code" # make itself is interrupted too

say "installing the test tools"
inside "bash infra/setup/install.sh --jail" >"$root/rustbox/install.log" 2>&1 || { tail -20 "$root/rustbox/install.log" >&2; fail "setup failed"; }
inside "python=.venv/bin/python; \$python -V; \$python -m sandbox_runtime doctor"
# Where Python programs do not fork, tests of the forks have nothing to test.
[[ $RUSTBOX_PYTHON == *python3.13 ]] || export RUSTBOX_TEST_PYTHON_FORK=false
say "testing: ${*:-the stages of make jail}"
if (($#)); then
    inside "exec .venv/bin/python -m pytest -p no:cacheprovider --color=no $(printf ' %q' "$@")"
else
    inside "exec bash infra/setup/check.sh memory jail languages hostile load"
fi
say passed
