#!/usr/bin/env bash
# Print lines and modules of Python by part of the product, and of the tests, at one or more revisions.
#
#   size.sh [REVISION...]   HEAD if none is named
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
parts='^(events|functions/[a-z_]+|sandbox_runtime/[a-z_]+|infra/[a-z_]+|rustbox_cli|functions|sandbox_runtime|infra)/'

count() {
  git grep -c '' "$1" -- '*.py' | awk -F: -v parts="$parts" '
    $2 ~ /^tests\/guests\// { guest_lines += $3; guest_files++; next } # programs that run in the jail: data
    $2 ~ /^tests\// { test_lines += $3; test_files++; next }
    $2 ~ /^bench\// { bench_lines += $3; bench_files++; test_lines += $3; test_files++; next }
    match($2, parts) { part = substr($2, 1, RLENGTH - 1); lines[part] += $3; modules[part]++; all_lines += $3; all_modules++ }
    END {
      for (part in lines) printf "%7d lines %4d modules  %s\n", lines[part], modules[part], part | "sort -k5"
      close("sort -k5")
      printf "%7d lines %4d modules  product\n%7d lines %4d files    tests, of which bench %d lines %d files\n%7d lines %4d files    guests of the tests\n",
        all_lines, all_modules, test_lines, test_files, bench_lines, bench_files, guest_lines, guest_files
    }'
}

(($#)) || set -- HEAD
for revision in "$@"; do
  git log -1 --format='%h %s' "$revision"
  count "$revision"
done
