#!/usr/bin/env bash
# Runs check stages in the order given (default: all), stops at the first failure, prints how long each took.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

all_stages=(lint types unit contract adapters embedded jail package system vm)
python_paths=(functions sandbox_runtime infra rustbox_cli docs examples tests)
bin=.venv/bin
export PATH="$PWD/$bin:$PATH" HOME="${HOME:-/root}"
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1

stage_lint() {
  "$bin/ruff" check "${python_paths[@]}"
  "$bin/ruff" format --check "${python_paths[@]}"
  "$bin/lint-imports"
  "$bin/cfn-lint" template.yaml &
  "$bin/sam" validate --lint
  wait $!
}

stage_types() { "$bin/mypy" "${python_paths[@]}"; }

# A part of the jail's suite on cgroup v2, in an emulated machine; `make test-vm` runs the whole suite there.
stage_vm() { bash infra/vm/test.sh part; }

stage_tests() { "$bin/pytest" "tests/$1"; }

# Two at a time. Tests of the jail and of the stack need the machine to themselves.
stage_two_at_a_time() { "$bin/pytest" -n 2 "tests/$1"; }

# Without the tests that moto answers, most of which repeat one that the engine answered.
stage_adapters_quick() { "$bin/pytest" -n 2 tests/adapters -k "not moto"; }

durations=()
stage=""
started_all=$SECONDS
report() {
  local code=$?
  ((code == 0)) || durations+=("$stage FAILED")
  ((${#durations[@]})) && printf '\nchecks: %s; total %d s\n' "$(printf '%s, ' "${durations[@]}" | sed 's/, $//')" \
    $((SECONDS - started_all))
  exit "$code"
}
trap report EXIT

(($#)) || set -- "${all_stages[@]}"
# Before anything takes time.
for stage in "$@"; do
  [[ " jail system vm " != *" $stage "* ]] || ((EUID == 0)) ||
    { echo "checks: stage $stage runs the sandbox, which needs root: use sudo" >&2; exit 2; }
done
for stage in "$@"; do
  printf '\n=== %s\n' "$stage"
  started=$SECONDS
  # No `||` here: behind one, bash would ignore the failures inside the function (set -e).
  case $stage in
    lint) stage_lint ;;
    types) stage_types ;;
    vm) stage_vm ;;
    adapters-quick) stage_adapters_quick ;;
    unit | adapters | embedded) stage_two_at_a_time "$stage" ;;
    contract | jail | package | system) stage_tests "$stage" ;;
    *) echo "unknown stage $stage: ${all_stages[*]} adapters-quick" >&2; exit 2 ;;
  esac
  durations+=("$stage $((SECONDS - started)) s")
done
