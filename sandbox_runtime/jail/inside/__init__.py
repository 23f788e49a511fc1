"""After the clone: the template, process 1 and the program's own set-up."""
