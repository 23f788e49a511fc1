import dataclasses, pickle
@dataclasses.dataclass
class P:
    x: int
print(pickle.loads(pickle.dumps(P(3))), P.__module__)
