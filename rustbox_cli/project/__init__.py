"""A project as a file.

* `yaml_file`: a bounded file, with the lines of its values
* `file`: what a file wants, and its problems; `rustbox checks` reads it too
* `checks`: changes, and those of checks
* `plan`: the changes of all parts, what the service would refuse, and their order
* `export`: the file of what is there
"""
