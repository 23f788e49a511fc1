# expect: AC
# attack: T6 inode_bomb: empty files, which no byte limit counts
# control: inode_limit
for ((number = 0; number < 20000; number++)); do
  { : >"/tmp/$number"; } 2>/dev/null || exit 0
done
echo "ESCAPED made 20000 files"
