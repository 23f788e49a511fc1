# expect: TLE
# attack: endless loop
while True:
    pass
