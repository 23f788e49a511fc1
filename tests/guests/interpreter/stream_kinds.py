import sys
for s in (sys.stdin, sys.stdout, sys.stderr):
    print(s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through, s.isatty(), s.seekable(), s.fileno(), type(s.buffer).__name__, s is getattr(sys, "__" + s.name.strip("<>") + "__"))
print(sys.stdin.buffer.tell(), sys.getfilesystemencoding(), sys.getdefaultencoding())
