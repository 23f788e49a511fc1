def f(): exec("def g():\n    raise OSError(2, 'gone', 'file')\ng()\n")
f()
