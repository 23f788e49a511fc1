"""The parts of a program's steps that a request may choose: `limits`, `compile_args`, `input_files`."""
