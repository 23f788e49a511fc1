#!/usr/bin/env bash
# Make and start virtual machines with cgroup v2 only, as current distributions have it. Sourced by the test scripts.
#
# Software emulation: correctness only, no timings. Everything is kept in .state/vm; a system's disk is made once.
# RUSTBOX_VM_CPU: qemu's name of an x86-64 CPU.
# ARCHITECTURE: x86_64 (the default) or arm64, whose packages are only unpacked: nothing of them runs on this host.

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
place=$project/.state/vm
architecture=${ARCHITECTURE:-x86_64}
case $architecture in
    x86_64) qemu=(qemu-system-x86_64 -cpu "${RUSTBOX_VM_CPU:-max}") console=ttyS0 debian=amd64
        tools=(mmdebstrap mkfs.ext4) packages_of_tools=(mmdebstrap e2fsprogs qemu-system-x86 ipxe-qemu seabios) ;;
    arm64) qemu=(qemu-system-aarch64 -machine virt -cpu cortex-a76) console=ttyAMA0 debian=arm64
        tools=(mmdebstrap mkfs.ext4 depmod cpio) packages_of_tools=(mmdebstrap e2fsprogs qemu-system-arm kmod cpio) ;;
    *) echo "vm: ARCHITECTURE must be x86_64 or arm64; got $architecture" >&2; exit 2 ;;
esac

say() { printf 'vm: %s (%d s)\n' "$*" "$SECONDS" >&2; }

install_tools() {
    local tool missing=
    for tool in "${qemu[0]}" "${tools[@]}"; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    [[ -n $missing ]] || return 0
    say "installing missing tools:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update </dev/null >/dev/null
    apt-get -q install -y --no-install-recommends "${packages_of_tools[@]}" </dev/null >/dev/null
}

# make_work: a folder for this run, $work, which goes at the end.
make_work() {
    mkdir -p "$place"
    work=$(mktemp -d "$place/work.XXXXXX")
    chmod 755 "$work" # apt downloads as a user of its own
    trap 'rm -rf "$work"' EXIT
}

# make_system NAME SIZE PACKAGES: the disk, kernel and initrd of a Debian in $system.
# The system never changes: the machine's writes to it go to a temporary file (snapshot=on below).
make_system() {
    system=$place/$1-$architecture
    [[ $(cat "$system/packages" 2>/dev/null) != "$3" ]] || return 0
    say "making the disk of the system $1-$architecture, once"
    rm -rf "$system"
    mkdir -p "$system" "$work/root"
    if [[ $architecture == x86_64 ]]; then
        # An initrd that knows the disk, not all hardware. It is made twice: by the kernel's package and by a trigger.
        mmdebstrap --quiet --variant=minbase --include="linux-image-cloud-$debian,udev,$3" \
            --essential-hook='mkdir -p "$1"/etc/initramfs-tools/conf.d "$1"/usr/share/initramfs-tools/modules.d
                echo MODULES=list >"$1"/etc/initramfs-tools/conf.d/disk
                printf "%s\n" virtio_pci virtio_blk ext4 >"$1"/usr/share/initramfs-tools/modules.d/disk' \
            trixie "$work/root"
        cp "$work"/root/boot/initrd.img-* "$system/initrd"
    else
        unpack_system "$3"
    fi
    mkdir -p "$work/root/project" "$work/root/data"
    cp "$work"/root/boot/vmlinuz-* "$system/kernel"
    truncate -s "$2" "$system/system.img"
    mkfs.ext4 -q -d "$work/root" "$system/system.img"
    rm -rf "$work/root"
    printf '%s' "$3" >"$system/packages"
}

# unpack_system PACKAGES: a root for another CPU, whose maintainer scripts never run. This function does
# the parts of them that the tests need: users, the list of modules, an initrd that knows the disk.
unpack_system() {
    local essential=base-files,base-passwd,bash,coreutils,dash,diffutils,findutils,grep,hostname,libc-bin,mount,sed,tar,util-linux
    local root=$work/root version
    mmdebstrap --quiet --variant=extract --architectures="$debian" \
        --include="$essential,linux-image-cloud-$debian,kmod,busybox-static,$1" trixie "$work/root.tar"
    tar --extract --file "$work/root.tar" --directory "$root" --exclude='./dev/*'
    rm "$work/root.tar"
    cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
    cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
    version=$(basename "$root"/usr/lib/modules/*)
    depmod --basedir "$root" "$version"
    mkdir -p "$work"/initrd/{bin,dev,root}
    cp "$root/usr/bin/busybox" "$work/initrd/bin/busybox"
    xz --decompress --stdout "$root/usr/lib/modules/$version/kernel/drivers/block/virtio_blk.ko.xz" >"$work/initrd/virtio_blk.ko"
    cat >"$work/initrd/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox insmod /virtio_blk.ko
/bin/busybox mount -t devtmpfs dev /dev
until [ -e /dev/vdb ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /bin/sh "$@"
INIT
    chmod 755 "$work/initrd/init"
    (cd "$work/initrd" && find . | cpio --quiet --create --format=newc) >"$system/initrd"
}

# copy_project: the sources into $guest, where .site is for packages, .toolchains for toolchains, .command.sh for the tests.
copy_project() {
    guest=$work/project
    mkdir -p "$guest"/{.site,.toolchains}
    (cd "$project" && git ls-files -co --exclude-standard -z | xargs -0 --no-run-if-empty ls -d 2>/dev/null | tar cf - -T -) |
        tar xf - -C "$guest"
}

# make_project_disk: $guest as $work/project.img.
make_project_disk() {
    truncate -s 1500M "$work/project.img"
    mkfs.ext4 -q -d "$guest" "$work/project.img"
    rm -rf "$guest"
}

# boot LIMIT_SECS MEMORY_MB COMMAND DISK...: run /bin/sh -c COMMAND as process 1. The disks follow the system's: /dev/vdb
# and so on. Succeeds if the machine printed `VM-EXIT 0`.
boot() {
    local limit_secs=$1 memory_mb=$2 command=$3 disk code=0
    local drives=()
    shift 3
    for disk in "$@"; do
        drives+=(-drive "file=$disk,if=virtio,format=raw")
    done
    say "starting (software emulation)"
    # In our process group, which an interrupt ends.
    timeout --foreground "$limit_secs" "${qemu[@]}" -accel tcg,thread=multi -m "$memory_mb" -smp 2 -no-reboot \
        -display none -monitor none -serial stdio -nic none -kernel "$system/kernel" -initrd "$system/initrd" \
        -drive "file=$system/system.img,if=virtio,format=raw,snapshot=on" "${drives[@]}" \
        -append "console=$console root=/dev/vda rw init=/bin/sh loglevel=3 mitigations=off panic=-1 -- -c \"$command\"" \
        </dev/null 2>&1 | stdbuf -o0 tr -d '\r' | tee "$work/console.log" || code=$?
    ((code != 124)) || say "stopped: it took longer than RUSTBOX_VM_LIMIT_SECS=$limit_secs"
    grep -aq '^VM-EXIT 0' "$work/console.log" || {
        say "the tests failed, or the machine did not end by itself"
        exit 1
    }
    say "passed"
}
