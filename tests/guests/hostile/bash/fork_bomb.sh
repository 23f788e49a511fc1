# expect: PLE RE TLE
# attack: T8 fork_bomb: two copies of itself, for ever
# alone: without the limit it would never end
bomb() { bomb | bomb & }
bomb 2>/dev/null
sleep 0.3
exit 7
