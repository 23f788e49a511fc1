# expect: PLE
# attack: T8 thread_bomb: one pipe of sixty parts
# control: process_limit
printf -v pipe '| sleep 100 %.0s' {1..60}
eval "sleep 100 $pipe &"
echo "ESCAPED has a pipe of 60 parts"
