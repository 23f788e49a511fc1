# expect: RE
# attack: T14 endless output; the pipe is closed at the cap
while True:
    print("y" * 4096)
