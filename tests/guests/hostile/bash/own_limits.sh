# expect: AC
# attack: T25 own_limits: reads its limits and tries to raise them
# control: rlimits
declare -A expected=([f]=1024 [u]=32 [n]=64 [c]=0)
for name in "${!expected[@]}"; do
  hard=$(ulimit -H "-$name")
  if [[ $hard != "${expected[$name]}" ]]; then echo "ESCAPED the limit $name is $hard"; fi
  if ulimit "-$name" $((expected[$name] + 1)) 2>/dev/null; then echo "ESCAPED raised $name"; fi
done
