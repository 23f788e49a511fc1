class Del:
    def __del__(self):
        raise ValueError("in del")
d = Del()
print("end")
