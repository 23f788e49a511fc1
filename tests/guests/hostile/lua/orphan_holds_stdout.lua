-- expect: AC
-- attack: T11 orphan_holds_stdout: a child in a session of its own keeps the output open after the end
-- control: pid_namespace
os.execute("setsid sleep 1000 &")
print("done")
