größe = "Привет, 世界 🎉"
print(größe)