print((os.getenv("GREETING") or "none") .. " " .. os.getenv("PATH"))
