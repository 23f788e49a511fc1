"""Judging: one program against many test cases."""
