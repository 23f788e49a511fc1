print("ünïcödé 漢字 🎉")
