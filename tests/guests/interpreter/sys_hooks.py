import sys
print(sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__, [type(f).__name__ for f in sys.meta_path], len(sys.path_hooks), hasattr(sys, "last_exc"), hasattr(sys, "ps1"))
