# expect: TLE
# attack: T17 sleep: waits for a child that sleeps
# control: wall_limit
sleep 1.2 &
wait
echo "ESCAPED waited 1.2 s"
