#!/usr/bin/env bash
# Check that this host can run the service, before anything is installed. It changes nothing.
#
#   preflight.sh          for `make setup` and the checks
#   preflight.sh --run    also the needs of a start: root and a free port
#   preflight.sh --container  the needs of a start in a container, on any host
#   preflight.sh --quiet  print the table only if a line fails (with the others)
#
# Exit code 0, or 2 if a line fails; a line that begins with "note" only advises.
# OS_RELEASE, MEMINFO, CGROUPS, CGROUP_CONTROLLERS and CORE_PATTERN name other files, for tests.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/host.sh"

mode=setup quiet=
for argument in "$@"; do
  case $argument in
    --run) mode=run ;;
    --container) mode=container ;;
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
  case $host_support in
    tested) row distribution "$host" ;;
    untested) row distribution "$host, which we have not tested; please tell us whether it works" ;;
    *) row distribution "$host" "the native setup needs Debian 13 or testing, or Ubuntu 24.04 or 26.04; run it in a container: docker compose up" ;;
  esac
}

architecture() {
  local machine
  machine=$(uname -m)
  case $machine in
    x86_64 | aarch64 | arm64) row architecture "$machine" ;;
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
  found=$(find_python)
  if [[ -n $found ]]; then
    row Python "$("$found" -c 'import sys; print(sys.version.split()[0])') ($found)"
  elif [[ -n ${RUSTBOX_PYTHON:-} && ! $RUSTBOX_PYTHON =~ python3\.1[234]$ ]]; then
    row Python "$RUSTBOX_PYTHON" "RUSTBOX_PYTHON must name CPython 3.12, 3.13 or 3.14 with venv"
  elif command -v apt-get >/dev/null; then
    row Python "not there yet; setup installs ${python_packages[*]}"
  else
    row Python missing "install CPython 3.12, 3.13 or 3.14 with venv"
  fi
}

control_groups() {
  local controllers name missing=()
  # From Linux 6.13 on, /proc/cgroups leaves out controllers of which the kernel has version 2 only.
  controllers=" $({
    awk '!/^#/ && $4 == 1 {print $1}' "${CGROUPS:-/proc/cgroups}"
    cat "${CGROUP_CONTROLLERS:-/sys/fs/cgroup/cgroup.controllers}"
  } 2>/dev/null | tr '\n' ' ')"
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

core_dumps() {
  local pattern
  pattern=$(cat "${CORE_PATTERN:-/proc/sys/kernel/core_pattern}" 2>/dev/null)
  case $pattern in
    # Not a failure: the sandbox works, and most hosts have such a pattern.
    "|"* | @*) lines+=("$(printf '  note  %-15s %s' "core dumps" "crashes of programs go to $pattern: sysctl -w kernel.core_pattern=core")") ;;
    *) row "core dumps" "stay in the sandbox" ;;
  esac
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

container_engine() {
  local engine
  engine=$(find_container_engine)
  if [[ -n $engine ]]; then
    row container "$engine runs the service: $host is not supported natively"
  else
    row container "no Docker or Podman answers" "start one, with its compose plugin; natively the service runs on Debian 13 or testing, Ubuntu 24.04 or 26.04"
  fi
}

read_host
case $mode in
  container) checks=(architecture container_engine port) ;;
  run) checks=(distribution architecture root python control_groups namespaces core_dumps disk memory port) ;;
  setup) checks=(distribution architecture root python control_groups namespaces core_dumps disk memory) ;;
esac
for check in "${checks[@]}"; do
  "$check"
done
if [[ -z $quiet ]] || ((failed)); then
  echo "This host:"
  printf '%s\n' "${lines[@]}"
fi
if ((failed)); then
  echo "preflight: this host cannot run the service yet; mend the lines that begin with FAIL" >&2
  exit 2
fi
