print("before")
io.stdout:flush()
os.execute("sleep 60")
