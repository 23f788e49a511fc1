# expect: AC
# attack: T8 T31 other_processes: looks for processes that are not its own, in /proc and by number
# control: pid_namespace
if ((PPID != 1)); then echo "ESCAPED the parent is $PPID"; fi
for entry in /proc/[0-9]*; do
  case ${entry##*/} in
    1 | $$) ;;
    *) echo "ESCAPED sees $entry" ;;
  esac
done
for ((pid = 2; pid < 300; pid++)); do
  kill -0 "$pid" 2>answer
  read -r answer <answer
  if [[ $answer != *"No such process"* ]] && ((pid != $$)); then echo "ESCAPED found process $pid"; fi
done
