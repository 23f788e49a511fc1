print(__import__("json").dumps({"a": 1}))
