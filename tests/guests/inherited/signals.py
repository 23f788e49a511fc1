import json, signal
from pathlib import Path
state = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Sig"))
interrupt = signal.getsignal(signal.SIGINT) is signal.default_int_handler
print(json.dumps([int(state["SigIgn"], 16), int(state["SigBlk"], 16), interrupt]))
