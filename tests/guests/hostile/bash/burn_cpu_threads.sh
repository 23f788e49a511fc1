# expect: TLE
# attack: T17 burn_cpu_threads: four processes share the work
# control: cpu_limit
burn() {
  local user=0m0.0s
  while [[ $user < 0m0.2 ]]; do
    for ((i = 0; i < 9000; i++)); do :; done
    times >"used$1"
    read -r user _ <"used$1"
  done
}
for part in 1 2 3 4; do burn "$part" & done
wait
echo "ESCAPED four processes burnt 0.8 s of CPU time"
