import fileinput
for line in fileinput.input():
    print(fileinput.filename(), fileinput.lineno(), repr(line))
