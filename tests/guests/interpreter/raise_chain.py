try:
    {}["x"]
except KeyError as e:
    raise ValueError("no x") from e
