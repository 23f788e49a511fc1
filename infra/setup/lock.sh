#!/usr/bin/env bash
# Regenerates every hashed lock from pyproject.toml. uv itself comes, hashed, from requirements/tools.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tools="$(mktemp -d)"
trap 'rm -rf "$tools"' EXIT
/usr/bin/python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --require-hashes -r requirements/tools.txt

compile() {
  "$tools/bin/uv" pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-header "$@"
  echo "lock: ${!#}"
}

compile pyproject.toml --group dev -o requirements/dev.txt
compile pyproject.toml --group deploy -c requirements/dev.txt -o requirements/deploy.txt
compile pyproject.toml --group run -c requirements/dev.txt -o requirements/run.txt
compile --group functions -c requirements/dev.txt -o requirements.txt
compile --group runner -c requirements/dev.txt -o sandbox_runtime/requirements.txt
compile --group toolchains -o sandbox_runtime/toolchains.txt
compile --group data --only-binary :all: -o sandbox_runtime/data_packages.txt
compile --group audit -o requirements/audit.txt
compile --group site -o requirements/site.txt
compile --group judges -o requirements/judges.txt
compile --group emulator -o requirements/emulator.txt
compile --group testlib --no-deps -o requirements/testlib.txt
compile --group lock -o requirements/tools.txt
printf 'mcp==2.3.0\nfastmcp==4.2.3\n' | compile --no-annotate - -o tests/system/mcp_clients/python.txt
printf 'aws-durable-execution-sdk-python==3.0.0\naws-durable-execution-sdk-python-testing==1.4.0\n' |
  compile --no-annotate - -o tests/system/durable_clients/python.txt
# Without the packages that .venv has, and without those that only the build of a client needs.
compile --no-deps --no-annotate tests/system/dialect_clients/python.in -o tests/system/dialect_clients/python.txt
for file in tests/system/sdk/*.txt; do
  version="$(basename "$file" .txt)"
  echo "rustbox==$version" | compile --no-deps --no-annotate - -o "$file"
done
