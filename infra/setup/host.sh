#!/usr/bin/env bash
# Facts about distributions, interpreters and container engines, for the scripts of this folder. Sourced; changes nothing.
#
# OS_RELEASE names another file than /etc/os-release, for tests.

# Set by read_host: `host`: the distribution; `host_support`: tested, untested, or empty; `python_packages`.
host="" host_support="" python_packages=()

read_host() {
  local ID= VERSION_ID= VERSION_CODENAME= PRETTY_NAME
  PRETTY_NAME=$(uname -sr)
  # shellcheck source=/dev/null
  [[ ! -r ${OS_RELEASE:=/etc/os-release} ]] || . "$OS_RELEASE"
  host=$PRETTY_NAME python_packages=(python3 python3-venv)
  case "$ID ${VERSION_ID:-$VERSION_CODENAME}" in
    "debian 13") host_support=tested ;;
    # Its python3 is 3.14. Forks of Python programs (docs/languages.md) need 3.13, which it has beside it.
    "debian forky" | "debian 14") host_support=tested python_packages=(python3.13 python3.13-venv) ;;
    "ubuntu 24.04" | "ubuntu 26.04") host_support=untested ;;
    *) host_support="" ;;
  esac
  if [[ ${RUSTBOX_PYTHON:-} =~ (python3\.1[234])$ ]]; then
    python_packages=("${BASH_REMATCH[1]}" "${BASH_REMATCH[1]}-venv")
  fi
}

# The interpreter of this project: $RUSTBOX_PYTHON, or the first that fits. Prints nothing if there is none.
find_python() {
  local candidate
  for candidate in ${RUSTBOX_PYTHON:-/usr/bin/python3.13 python3.13 python3.14 python3.12 python3}; do
    if is_fitting_python "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
}

# The first container engine that answers and knows compose files. Prints nothing if there is none.
find_container_engine() {
  local engine
  for engine in docker podman; do
    if "$engine" info >/dev/null 2>&1 && "$engine" compose version >/dev/null 2>&1; then
      echo "$engine"
      return
    fi
  done
}

is_fitting_python() {
  "$1" -c 'import ensurepip, sys; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}
