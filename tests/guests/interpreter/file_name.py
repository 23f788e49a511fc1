print(__file__, __name__, __doc__, __spec__, __package__, __cached__)
