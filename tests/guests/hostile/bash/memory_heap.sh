# expect: MLE
# attack: T16 memory_heap: strings in an array
# control: memory_limit
printf -v text '%01000000d' 0
for ((i = 0; i < 330; i++)); do kept[i]=$text; done
echo "ESCAPED holds ${#kept[@]} MB of text"
