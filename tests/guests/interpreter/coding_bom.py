print("bom")
raise ValueError("ü")
