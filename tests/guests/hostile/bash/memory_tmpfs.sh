# expect: MLE
# attack: T6 T16 memory_tmpfs: fills every writable mount with files below the file size limit
# control: memory_limit
places=(/tmp /dev/shm .)
for ((number = 0; number < 330; number++)); do
  head -c 1M /dev/zero >"${places[number % 3]}/file$number" || exit
done
echo "ESCAPED stored 330 MiB in files"
