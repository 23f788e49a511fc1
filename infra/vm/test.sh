#!/usr/bin/env bash
# Run the jail's tests in a virtual machine that has cgroup v2 only, as current distributions do.
#
#   infra/vm/test.sh [pytest arguments]     default: tests/jail
#
# Software emulation: correctness only, no timings. Everything is kept in .state/vm; the root file system is made once.
set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
place=$project/.state/vm
root=$place/root
packages=linux-image-cloud-amd64,udev,python3,gcc,libc6-dev${RUSTBOX_VM_PACKAGES:+,$RUSTBOX_VM_PACKAGES}
limit_secs=${RUSTBOX_VM_LIMIT_SECS:-1500}

say() { printf 'vm: %s\n' "$*" >&2; }

for tool in mmdebstrap qemu-system-x86_64 mkfs.ext4; do
    command -v "$tool" >/dev/null || missing="${missing:-} $tool"
done
if [ -n "${missing:-}" ]; then
    say "installing what is missing:$missing"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        mmdebstrap qemu-system-x86 ipxe-qemu seabios e2fsprogs >/dev/null
fi

mkdir -p "$place"
if [ "$(cat "$place/packages" 2>/dev/null)" != "$packages" ]; then
    say "making the root file system (once, about half a minute)"
    rm -rf "$root"
    mmdebstrap --quiet --variant=minbase --include="$packages" trixie "$root"
    printf '%s' "$packages" >"$place/packages"
fi

say "copying the project"
guest=$root/project
rm -rf "$guest" "$root/site"
mkdir -p "$guest/.toolchains" "$root/site"
(cd "$project" && git ls-files -co --exclude-standard -z | xargs -0 --no-run-if-empty ls -d 2>/dev/null | tar cf - -T -) | tar xf - -C "$guest"
cp -a "$project/.toolchains/." "$guest/.toolchains/"
site=$("$project/.venv/bin/python" -c 'import pytest, pathlib; print(pathlib.Path(pytest.__file__).parents[1])')
for name in pytest _pytest pluggy iniconfig packaging pygments pytest_timeout.py py.py; do
    cp -a "$site/$name" "$root/site/"
done
cp -a "$site"/{pytest,pluggy,iniconfig,packaging,pygments,pytest_timeout}-*.dist-info "$root/site/"
{
    printf 'python3 -m pytest -p no:cacheprovider -o timeout=600'
    printf ' %q' "${@:-tests/jail}"
    printf '\n'
} >"$root/command.sh"
cp "$project/infra/vm/init.sh" "$root/init.sh"

disk=$place/disk.img
rm -f "$disk"
truncate -s 6G "$disk"
mkfs.ext4 -q -d "$root" "$disk"

say "starting (software emulation)"
log=$place/console.log
set -- "$root"/boot/vmlinuz-*
kernel=$1
set -- "$root"/boot/initrd.img-*
timeout "$limit_secs" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 3072 -smp 2 -nographic -no-reboot \
    -kernel "$kernel" -initrd "$1" -drive "file=$disk,if=virtio,format=raw" -nic none \
    -append "console=ttyS0 root=/dev/vda rw init=/init.sh quiet panic=-1" </dev/null 2>&1 | tee "$log" | sed -u 's/\r$//' | grep -a --line-buffered -v '^$'
rm -f "$disk"
grep -aq '^VM-EXIT 0' "$log" || {
    say "the tests failed, or the machine did not end by itself"
    exit 1
}
say "passed"
