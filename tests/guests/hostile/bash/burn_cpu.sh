# expect: TLE
# attack: T9 T17 burn_cpu: computes without end, deaf to SIGXCPU and SIGTERM
# control: cpu_limit
trap '' XCPU TERM
user=0m0.0s
until [[ $user > 0m0.7 ]]; do
  for ((i = 0; i < 20000; i++)); do :; done
  times >used
  read -r user _ <used
done
echo "ESCAPED burnt 0.7 s of CPU time"
