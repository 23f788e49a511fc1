import logging
logging.warning("w")
logging.basicConfig(level=logging.INFO, force=True)
logging.info("i")
