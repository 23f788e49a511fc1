"""The relay of a run: it adds a secret to the requests of a program that never sees it.

A program sends plain HTTP/1.1 to `http://NAME.secrets.rustbox.internal`. The egress proxy hands the program's socket to
the run's relay, with a connection to the secret's host that the proxy has made and checked. The relay speaks TLS to the
host, checks each request against the rules of the secret, writes the secret into it, and masks it in the answer.
It parses the bytes of programs and of hosts: so it is confined, has the secrets of one run, and dies with it.
"""
