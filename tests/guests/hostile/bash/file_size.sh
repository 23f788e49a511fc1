# expect: FSE
# attack: T6 file_size: one file larger than the limit
# control: rlimits
printf -v block '%065536d' 0
for ((i = 0; i < 64; i++)); do printf %s "$block"; done >big
echo "ESCAPED made a file of 4 MiB"
