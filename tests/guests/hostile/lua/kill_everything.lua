-- expect: SIG
-- attack: T9 kill_everything: kills init and every process that it can see, itself last
-- alone: without a pid namespace it would end the host's processes
os.execute("kill -KILL 1; kill -KILL -- -1")
os.execute("kill -KILL $PPID")
