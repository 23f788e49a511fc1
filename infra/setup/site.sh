#!/usr/bin/env bash
# Build the site of docs/ into .build/site. The tools are in requirements/site.txt. A broken link fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tools=.build/site-tools
if ! cmp --silent requirements/site.txt "$tools/installed.txt"; then
  echo "site: installing the tools" >&2
  rm -rf "$tools"
  .venv/bin/python -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/site.txt
  cp requirements/site.txt "$tools/installed.txt"
fi

mkdir -p .build/site-extra/api
.venv/bin/python - <<'PY'
from pathlib import Path

from functions.handlers.api_document import openapi_text, reference_page

extra = Path(".build/site-extra")
(extra / "reference.html").write_text(reference_page("try_it.js"), encoding="utf-8")
(extra / "api" / "openapi.json").write_text(openapi_text(), encoding="utf-8")
PY
cp docs/try_it.js .build/site-extra/
rm -rf .build/site.new
"$tools/bin/sphinx-build" --quiet --fail-on-warning --keep-going --fresh-env --builder html docs .build/site.new
rm -rf .build/site .build/site.new/.doctrees
mv .build/site.new .build/site
echo "site: .build/site/index.html; \`make up\` serves it at /docs/, also one that runs"
