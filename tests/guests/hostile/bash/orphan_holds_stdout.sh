# expect: AC
# attack: T11 orphan_holds_stdout: a background job in a session of its own keeps the output open after the end
# control: pid_namespace
setsid sleep 1000 &
disown
echo "done"
