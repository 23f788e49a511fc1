# expect: MLE
# attack: T16 memory_child: a part of a pipe eats, and the script hides its death behind exit code 0
# control: memory_limit
counted=$(head -c 320M /dev/zero | tail -n 1 | wc -c)
if ((counted == 320 << 20)); then echo "ESCAPED a child held 320 MiB"; fi
sleep 1
exit 0
