"""Code that runs inside the jail: the template, init (process 1) and the set-up of the program's process."""
