#!/bin/sh
# with-pings.sh ADDRESS COMMAND...: run a command, and report its start, its exit code and the end of its output.
# A service that does not answer changes nothing for the job.
address=$1
shift
ping() { curl -fsS -m 10 --retry 3 -o /dev/null "$@" || true; }

output=$(mktemp)
trap 'rm -f "$output"' EXIT
ping "$address/start"
"$@" >"$output" 2>&1
code=$?
cat "$output"
tail -c 10000 "$output" | ping --data-binary @- "$address/$code"
exit "$code"
