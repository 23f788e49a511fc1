print("no line end")
1 / 0