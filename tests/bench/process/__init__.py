"""`make bench-process`: memory and time of whole programs: Python's objects, and what libraries in C take."""
