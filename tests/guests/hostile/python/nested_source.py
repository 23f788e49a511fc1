# expect: RE SIG MLE
# attack: T20 nested_source: source that is nested deeper than the interpreter's parser goes
# alone: the parser's own bound ends it, in a jail or not
print("begin", flush=True)
value = eval("-" * 2_000_000 + "1")
print(value)
