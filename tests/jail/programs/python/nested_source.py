# expect: RE SIG MLE
# attack: T20 nested_source: source that is nested deeper than the interpreter's parser goes
print("begin", flush=True)
value = eval("-" * 2_000_000 + "1")
print(value)
