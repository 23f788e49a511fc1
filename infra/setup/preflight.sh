#!/usr/bin/env bash
# Check that this host can run the service natively, before anything is installed. It changes nothing.
#
#   preflight.sh          for `make setup` and the checks
#   preflight.sh --run    also what starting the service needs: root and a free port
#   preflight.sh --quiet  print the table only if a line fails (with the others)
#
# Exit code 0, or 2 if a line fails. OS_RELEASE, MEMINFO and CGROUPS name other files, for tests.
set -uo pipefail

mode=setup quiet=
for argument in "$@"; do
  case $argument in
    --run) mode=run ;;
    --quiet) quiet=1 ;;
    *) echo "preflight: unknown argument $argument" >&2; exit 2 ;;
  esac
done

disk_needed_mb=3000 memory_needed_mb=1500
lines=() failed=0

# row WHAT FOUND [WAY_OUT]: a line of the table; it fails if there is a way out.
row() {
  local verdict=ok
  [[ -z ${3:-} ]] || { verdict=FAIL; failed=1; }
  lines+=("$(printf '  %-4s  %-15s %s%s' "$verdict" "$1" "$2" "${3:+: $3}")")
}

distribution() {
  local ID= VERSION_ID= PRETTY_NAME="no /etc/os-release"
  # shellcheck source=/dev/null
  [[ ! -r ${OS_RELEASE:=/etc/os-release} ]] || . "$OS_RELEASE"
  if [[ $ID == debian && $VERSION_ID == 13 ]]; then
    row distribution "$PRETTY_NAME"
  else
    row distribution "$PRETTY_NAME" "the native setup needs Debian 13; run it in a virtual machine or container of that"
  fi
}

architecture() {
  local machine
  machine=$(uname -m)
  case $machine in
    x86_64 | aarch64) row architecture "$machine" ;;
    *) row architecture "$machine" "the sandbox knows x86_64 and aarch64 only" ;;
  esac
}

root() {
  if ((EUID == 0)); then
    row root yes
  elif [[ $mode == run ]]; then
    row root no "the sandbox needs root (namespaces, control groups, mounts): sudo make up"
  else
    row root "no: installing system packages and running the sandbox need it"
  fi
}

python() {
  local found
  if found=$(python3.13 -c 'import ensurepip, sys; print(sys.version.split()[0])' 2>/dev/null); then
    row "Python 3.13" "$found"
  elif command -v apt-get >/dev/null; then
    row "Python 3.13" "not there yet; setup installs python3 and python3-venv"
  else
    row "Python 3.13" missing "install Python 3.13 with venv"
  fi
}

control_groups() {
  local controllers name missing=()
  controllers=" $(awk '!/^#/ && $4 == 1 {print $1}' "${CGROUPS:=/proc/cgroups}" 2>/dev/null | tr '\n' ' ')"
  for name in memory pids cpu; do
    [[ $controllers == *" $name "* ]] || missing+=("$name")
  done
  if ((${#missing[@]} == 0)); then
    row "control groups" "memory, pids, cpu"
  else
    row "control groups" "no ${missing[*]}" "enable it on the kernel's command line, e.g. cgroup_enable=memory"
  fi
}

namespaces() {
  if ((EUID != 0)); then
    row namespaces "not tried: needs root"
  # Propagation unchanged: in a chroot, / is no mount point whose propagation could be set.
  elif unshare --mount --propagation unchanged --pid --net --ipc --uts --fork true 2>/dev/null; then
    row namespaces "mount, pid, net, ipc, uts"
  else
    row namespaces refused "in a container, start it with --privileged or use infra/runner/compose.yaml"
  fi
}

disk() {
  local free_mb
  free_mb=$(df --output=avail -m . | tail -1 | tr -d ' ')
  if ((free_mb >= disk_needed_mb)); then
    row disk "$free_mb MB free"
  elif [[ -d .venv && -d .toolchains ]]; then
    row disk "$free_mb MB free, and everything is installed"
  else
    row disk "$free_mb MB free" "setup needs $disk_needed_mb MB in $PWD"
  fi
}

memory() {
  local total_mb
  total_mb=$(($(awk '/^MemTotal:/ {print $2}' "${MEMINFO:-/proc/meminfo}") / 1024))
  if ((total_mb >= memory_needed_mb)); then
    row memory "$total_mb MB"
  else
    row memory "$total_mb MB" "compilers and sandboxes need $memory_needed_mb MB"
  fi
}

port() {
  local wanted=${PORT:-4096}
  if (exec 3<>"/dev/tcp/127.0.0.1/$wanted") 2>/dev/null; then
    row port "$wanted" "another program listens there: stop it, or PORT=4097 make up"
  else
    row port "$wanted is free"
  fi
}

distribution
architecture
root
python
control_groups
namespaces
disk
memory
[[ $mode != run ]] || port
if [[ -z $quiet ]] || ((failed)); then
  echo "This host:"
  printf '%s\n' "${lines[@]}"
fi
if ((failed)); then
  echo "preflight: this host cannot run the service yet; mend the lines that begin with FAIL" >&2
  exit 2
fi
