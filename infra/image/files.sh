#!/usr/bin/env bash
# The files of the runner's image for a CPU that this machine may not have. Nothing of them is executed: Debian's packages
# are unpacked, and the Dockerfile's clean-up must find everything that it removes there. PyPI must have a wheel for this
# CPU with a locked hash for each Python package of the images, with and without data packages.
#
#   ARCHITECTURE=arm64 infra/image/files.sh      (or x86_64); writes .build/runner-arm64.files
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

architecture=${ARCHITECTURE:-arm64}
case "$architecture" in
  arm64) debian=arm64 machine=aarch64 ;;
  x86_64) debian=amd64 machine=x86_64 ;;
  *) echo "files: ARCHITECTURE must be arm64 or x86_64; got $architecture" >&2; exit 2 ;;
esac
command -v mmdebstrap >/dev/null || {
  apt-get update -qq </dev/null >/dev/null
  apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null
}
mkdir -p .build
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# Debian trixie has Python 3.13 and glibc 2.41.
mapfile -t platforms < <(seq -f "--platform=manylinux_2_%g_$machine" 17 41)
for lock in sandbox_runtime/{requirements,toolchains,data_packages}.txt requirements/run.txt; do
  .venv/bin/pip download --quiet --disable-pip-version-check --dest "$root/wheels" --require-hashes --no-deps --only-binary :all: \
    --implementation cp --python-version 3.13 "${platforms[@]}" "--platform=manylinux2014_$machine" --requirement "$lock"
done
echo "files: $(find "$root/wheels" -name '*.whl' | wc -l) wheels with locked hashes for $architecture, $(find "$root/wheels" -name "*_$machine.whl" | wc -l) of them with machine code"
rm -r "$root/wheels"

# The packages and the clean-up are the Dockerfile's own lines.
packages=$(sed -n 's/^        \(python3 ca-certificates .*\) \\$/\1/p' sandbox_runtime/Dockerfile | tr ' ' ,)
cleanup=$(sed -n '/^RUN set -eu; /,/root\/.cache$/p' sandbox_runtime/Dockerfile | sed 's/^RUN //')
[ -n "$packages" ] && [ -n "$cleanup" ] || { echo "files: the Dockerfile's lines are not as this script reads them" >&2; exit 1; }

mmdebstrap --quiet --variant=extract --architectures="$debian" --include="$packages" trixie "$root/image.tar"
mkdir "$root/image"
tar --extract --file "$root/image.tar" --directory "$root/image" --exclude='./dev/*'
# In the unpacked tree: its folders for the root's, and a look at each object instead of `strip`, which is for one CPU.
cleanup=$(printf '%s' "$cleanup" | sed "s# /\(usr\|var\|tmp\|root\)# $root/image/\1#g; s#cd /usr#cd $root/image/usr#; s#cd /;#cd $root/image;#; s#strip --strip-debug#ls -d >/dev/null#")
# A later clean-up in the Dockerfile must not touch this machine's own files.
if printf '%s' "$cleanup" | tr ' ;' '\n\n' | grep '^/' | grep -v "^$root/image"; then
  echo "files: the clean-up names the paths above, which this script does not map" >&2
  exit 1
fi
sh -c "$cleanup"
(cd "$root/image" && find . -type f -o -type l | sort) >".build/runner-$architecture.files"
echo "files: $(wc -l <".build/runner-$architecture.files") files of the image on $architecture, .build/runner-$architecture.files"
