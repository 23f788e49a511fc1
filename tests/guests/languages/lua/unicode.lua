local texts = {["größe"] = "Привет, 世界 🎉"}
print(texts["größe"])
