"""Call the functions of `student.py` as the grader asks, and send their results. The student may print."""

import json
import os

with os.fdopen(os.dup(0), encoding="utf-8") as calls, os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for line in calls:
        mark, name, args = line.split(" ", 2)
        try:
            import student

            text = json.dumps(getattr(student, name)(*json.loads(args)))
        except BaseException as error:  # noqa: BLE001 - SystemExit too
            text = "!" + f"{type(error).__name__}: {error}".replace("\n", " ")
        print(f"\n{mark} {text}", file=answers, flush=True)
