class Del:
    def __del__(self): print("cycle gone")
d = Del()
d.self = d
print("end")
