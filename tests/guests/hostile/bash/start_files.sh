# expect: AC
# attack: T7 T31 start_files: leaves files that a shell reads at its start
# control: read_only_root
for place in ~ /etc /etc/profile.d /usr/bin /; do
  for name in .bashrc .bash_profile .profile bash.bashrc profile .inputrc; do
    if [[ $place != ~ ]] && { echo 'echo "ESCAPED was read"' >"$place/$name"; } 2>/dev/null; then
      echo "ESCAPED left $place/$name"
    fi
  done
done
echo 'echo "ESCAPED was read"' | tee .bashrc .bash_profile .profile >/dev/null
bash -c :
