class Own(Exception):
    def __str__(self): return "own text"
raise Own
