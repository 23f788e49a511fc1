import logging
import os
import sys

logging.basicConfig(stream=sys.stdout, format="%(message)s")
child = os.fork()
if child:
    print(os.waitpid(child, 0)[1], flush=True)
    logging.warning("parent")
else:
    logging.getLogger().addHandler(logging.StreamHandler())
    logging.warning("child")
