import dbm, fcntl, os, shelve, sqlite3
for mode in ("DELETE", "WAL"):
    with sqlite3.connect(f"/tmp/{mode}.db") as database:
        database.execute(f"PRAGMA journal_mode={mode}")
        database.execute("CREATE TABLE numbers (number)")
    if os.fork() == 0:
        with sqlite3.connect(f"/tmp/{mode}.db") as database:
            database.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in range(100)])
        os._exit(0)
    assert os.wait()[1] == 0
    assert sqlite3.connect(f"/tmp/{mode}.db").execute("SELECT sum(number) FROM numbers").fetchone() == (4950,)
with dbm.open("/tmp/cards", "c") as cards:
    cards["a"] = "1"
with shelve.open("/tmp/shelf") as shelf:
    shelf["a"] = [1]
assert shelve.open("/tmp/shelf")["a"] == [1]
with open("/tmp/lock", "w") as lock:
    for kind in (fcntl.LOCK_EX, fcntl.LOCK_SH | fcntl.LOCK_NB, fcntl.LOCK_UN):
        fcntl.flock(lock, kind)
print("ok")
