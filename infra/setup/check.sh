#!/usr/bin/env bash
# Run check stages, and print how long each took.
#
#   check.sh              everything: the quick stages, then jobs side by side, then the stages that need
#                         the machine to themselves
#   check.sh STAGE...     these stages in this order; stops at the first failure
#   check.sh --quick …    the same without the stages vm, memory, judges and cpython, and without tests marked `whole`
#
# When all stages run, up to three failed tests of a stage run once more at the end, with the machine to themselves.
# A test that passes then is named in the last lines: it depends on time or on its neighbours, and needs to be mended.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python_paths=(events functions sandbox_runtime infra rustbox_cli docs examples bench tests)
bin=.venv/bin
export PATH="$PWD/$bin:$PATH" HOME="${HOME:-/root}"
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1
# Hundreds of processes of the tests would compile our modules again, and each worker of pytest the tests.
unset PYTHONDONTWRITEBYTECODE

# Each job runs its stages one after the other, beside the other jobs. The quick stages come first. The tests of `memory`
# mostly wait, and measure the memory that the kernel holds: nothing beside them may start guests.
first=("types memory" "lint contract unit")
first_quick=("types" "lint contract unit")
# Most tests of these stages wait for a limit or for a process: so five jobs keep two cores busy. Each takes 180 to 320 s
# of CPU time, less where it waits more, so that both cores work to the end. `package` writes the same zip as
# `deployment`, which has ended long before. `cpython` is longer, and waits often too.
side_by_side_quick=("jail" "deployment system" "clients hostile package" "browser embedded languages kills" "adapters")
side_by_side=("${side_by_side_quick[@]:0:4}" "vm adapters" "judges cpython")
# These tests measure how the kernel divides the CPUs, and a loss of memory that nobody else may make good meanwhile.
alone=(load upgrade)
alone_quick=(load)
# A test that hangs ends by this. Beside other stages it may take long. The slowest are named.
limits=(--timeout 300 --durations 12 --durations-min 3)
# Hypothesis' plugin takes a second of CPU time at the end of each session. The stages with these options do not use it.
patience=("${limits[@]}" -p no:hypothesispytest)
most_run_again=3
# Which tests a stage leaves out.
quick=()
left_out=()
if [[ ${1:-} == --quick ]]; then
  quick=(--quick) left_out=(-m "not whole")
  export RUSTBOX_TESTS=quick # fewer examples, see tests/choice.py
  shift
fi
# Tests of the jail and of the system that are stages of their own. `jail` and `system` are all the others.
# What clients see of one stack, which no test here kills.
clients_tests=(tests/system/test_{artifacts,cli,cli_install,dialect_clients,github_status,judge0,judge0_readme,librechat,listen,mcp}.py
  tests/system/test_{openapi_clients,outputs,pages,piston,problems,sdk,signed_senders,three_patterns}.py)
browser_tests=(tests/system/browser)
hostile_tests=(tests/jail/test_hostile.py)
kills_tests=(tests/system/test_kill_run.py)
cpython_tests=(tests/system/test_cpython.py)
deployment_tests=(tests/system/test_{deployment,fleet_deployment}.py)
# Its emulator refuses connections beside other stages.
upgrade_tests=(tests/system/test_upgrade.py)
languages_tests=(tests/jail/test_{compile_cache,compile_waits,interpreter_fidelity,native_compilers,waiting_commands}.py
  tests/jail/test_language*.py)
memory_tests=(tests/jail/test_uncharged_memory.py)
# It shows that the tests of `memory` could detect a loss.
counter_test=test_no_group_is_charged_for_range_locks
load_tests=(tests/jail/test_cpu_share.py tests/jail/test_overload.py "${memory_tests[0]}::$counter_test")

stage_lint() {
  "$bin/ruff" check "${python_paths[@]}"
  "$bin/ruff" format --check "${python_paths[@]}"
  "$bin/lint-imports"
  "$bin/cfn-lint" template.yaml &
  "$bin/sam" validate
  wait $!
}

# Four judges of the templates, which the stage installs into .judges.
stage_judges() { bash infra/judges/install.sh && "$bin/python" -m infra.judges; }

stage_types() { "$bin/mypy" "${python_paths[@]}"; }

# A part of the jail's suite on cgroup v2, in an emulated machine; `make test-vm` runs the whole suite there.
stage_vm() { bash tests/rigs/vm/test.sh part; }

# Each stage has a cache of its own, which has the tests that failed.
run_pytest() { "$bin/pytest" -o "cache_dir=$(cache_of "$stage")" "${left_out[@]}" "$@"; }

cache_of() { echo ".pytest_cache/$1"; }

# How many tests failed in the stage's last run; nothing if it ended in another way.
count_failed() { grep -c ': true' "$(cache_of "$1")/v/cache/lastfailed" 2>/dev/null || true; }

stage_jail() {
  local path others=()
  for path in "${hostile_tests[@]}" "${languages_tests[@]}" "${load_tests[@]}" "${memory_tests[@]}"; do
    others+=(--ignore "$path")
  done
  run_pytest "${patience[@]}" tests/jail "${others[@]}"
}

# Each worker collects all tests: beside other jobs, one process costs less.
stage_two_at_a_time() { run_pytest -n "${workers:-2}" "${limits[@]}" "tests/$1"; }

# One at a time: beside it other stages work.
stage_system() {
  local path others=()
  for path in "${browser_tests[@]}" "${clients_tests[@]}" "${kills_tests[@]}" "${deployment_tests[@]}" "${upgrade_tests[@]}" "${cpython_tests[@]}"; do
    others+=(--ignore "$path")
  done
  run_pytest "${patience[@]}" tests/system "${others[@]}"
}

run_stage() {
  case $1 in
    lint | types | judges | vm | jail | system) "stage_$1" ;;
    browser) run_pytest "${patience[@]}" "${browser_tests[@]}" ;;
    clients) run_pytest "${patience[@]}" "${clients_tests[@]}" ;;
    hostile) run_pytest "${patience[@]}" "${hostile_tests[@]}" ;;
    languages) run_pytest "${patience[@]}" "${languages_tests[@]}" ;;
    load) run_pytest "${patience[@]}" "${load_tests[@]}" ;;
    memory) run_pytest "${patience[@]}" "${memory_tests[@]}" --deselect "${memory_tests[0]}::$counter_test" ;;
    cpython) run_pytest "${patience[@]}" "${cpython_tests[@]}" ;;
    kills) run_pytest "${patience[@]}" "${kills_tests[@]}" ;;
    deployment) run_pytest "${patience[@]}" "${deployment_tests[@]}" ;;
    upgrade) run_pytest "${patience[@]}" "${upgrade_tests[@]}" ;;
    unit | adapters | embedded) stage_two_at_a_time "$1" ;;
    contract) run_pytest tests/contract ;;
    package) run_pytest "${patience[@]}" tests/package ;;
    *) echo "unknown stage $1" >&2; exit 2 ;;
  esac
}

durations=()
to_run_again=()
stage=""
started_all=$SECONDS
report() {
  local code=$?
  ((code == 0)) || [[ -z $stage ]] || durations+=("$stage FAILED")
  ((${#durations[@]})) && printf '\nchecks: %s; total %d s\n' "$(printf '%s, ' "${durations[@]}" | sed 's/, $//')" \
    $((SECONDS - started_all))
  exit "$code"
}
trap report EXIT

run_in_order() {
  local started
  for stage in "$@"; do
    printf '\n=== %s\n' "$stage"
    started=$SECONDS
    # No `||` here: behind one, bash would ignore the failures inside the function (set -e).
    run_stage "$stage"
    durations+=("$stage $((SECONDS - started)) s")
  done
  stage=""
}

# One job: each stage is a process of its own, with a log of its own. A failed stage does not stop the ones after it.
run_job() {
  local one started failed
  for one in "$@"; do
    started=$SECONDS
    rm -f "$(cache_of "$one")/v/cache/lastfailed" # not the library that Go compiled for `languages`
    touch "$logs/$one.log"
    # A shell's background job ignores SIGINT, and so would all below it.
    if env --default-signal=INT bash infra/setup/check.sh "${quick[@]}" "$one" >"$logs/$one.log" 2>&1 </dev/null; then
      echo "$one $((SECONDS - started)) s" >"$logs/$one.done"
      continue
    fi
    failed=$(count_failed "$one")
    if ((${failed:-0} >= 1 && failed <= most_run_again)); then
      echo "$one $((SECONDS - started)) s with $failed to run again" >"$logs/$one.done"
    else
      echo "$one FAILED" >"$logs/$one.done"
    fi
  done
}

# Run the failed tests of these stages once more. Nothing runs beside them.
run_failed_again() {
  local one names
  for one in "$@"; do
    printf '\n=== %s: its failed tests again\n' "$one"
    names=$(grep -o '".*"' "$(cache_of "$one")/v/cache/lastfailed" | tr '\n' ' ')
    stage=$one
    PYTEST_ADDOPTS="--last-failed --last-failed-no-failures none" run_stage "$one"
    stage=""
    durations+=("$one depends on time or neighbours, passed alone: $names")
  done
}

# Print a line about the stages that are under way.
tell_progress() {
  local log one said=()
  for log in "$logs"/*.log; do
    one=$(basename "$log" .log)
    [[ -e $logs/$one.done ]] || said+=("$one $(grep -ao '[0-9]*%\]' "$log" | tail -n 1 | tr -d ']' || true)")
  done
  ((${#said[@]} == 0)) || printf '%4d s: %s\n' $((SECONDS - started_all)) "$(printf '%s, ' "${said[@]}" | sed 's/, $//')"
}

# Print the end of a stage's log, all of it if it failed.
tell_end() {
  local one=$1
  printf '\n=== %s\n' "$(cat "$logs/$one.done")"
  if grep -qE 'FAILED|again' "$logs/$one.done"; then cat "$logs/$one.log"; else tail -n 40 "$logs/$one.log" | sed -n '/^===/,$p'; fi
}

run_side_by_side() {
  local job pids=() told="" code=0 one tick=0 is_under_way=1
  logs=$(mktemp -d)
  printf '\n=== side by side:%s\n' "$(printf ' | %s' "$@" | cut -c 3-)"
  # Job control gives each job a process group, which a signal can end as a whole.
  set -m
  for job in "$@"; do
    # shellcheck disable=SC2086 # a job is a list of words
    run_job $job &
    pids+=($!)
  done
  set +m
  trap 'for pid in "${pids[@]}"; do kill -INT -- "-$pid" 2>/dev/null || true; done; wait; rm -rf "$logs"; exit 130' INT TERM
  while ((is_under_way)); do
    sleep 5 &
    wait $! || true
    ((++tick % 12)) || tell_progress
    jobs -pr | grep -q . || is_under_way=0 # before we look for ended stages
    for one in "$logs"/*.done; do
      one=$(basename "$one" .done)
      [[ $one == "*" || $told == *" $one "* ]] || { tell_end "$one"; told+=" $one "; }
    done
  done
  for one in "$logs"/*.done; do
    durations+=("$(cat "$one")")
    ! grep -q again "$one" || to_run_again+=("$(basename "$one" .done)")
  done
  # Not by `wait`: in a long run bash forgets how the first jobs ended.
  for job in "$@"; do
    for one in $job; do
      [[ -e $logs/$one.done ]] && ! grep -q FAILED "$logs/$one.done" || code=1
    done
  done
  trap - INT TERM
  rm -rf "$logs"
  return "$code"
}

stages=("$@")
if ((${#quick[@]})); then first=("${first_quick[@]}") side_by_side=("${side_by_side_quick[@]}") alone=("${alone_quick[@]}"); fi
(($#)) || read -ra stages <<<"${first[*]} ${side_by_side[*]} ${alone[*]}"
# Before anything takes time.
for stage in "${stages[@]}"; do
  [[ " browser clients cpython hostile jail kills deployment load memory system languages vm " != *" $stage "* ]] || ((EUID == 0)) ||
    { echo "checks: stage $stage runs the sandbox, which needs root: use sudo" >&2; exit 2; }
done
stage=""
if (($#)); then
  run_in_order "$@"
else
  run_side_by_side "${first[@]}"
  workers=0 run_side_by_side "${side_by_side[@]}"
  run_side_by_side "${alone[*]}"
  run_failed_again "${to_run_again[@]}"
fi
