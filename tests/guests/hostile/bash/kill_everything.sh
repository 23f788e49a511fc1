# expect: SIG
# attack: T9 kill_everything: kills init and every process that it can see, itself last
# alone: without a pid namespace it would end the host's processes
for pid in 1 -1; do kill -KILL -- "$pid" 2>/dev/null; done
kill -KILL -- 0
