"""`make planted`: plants faults in a copy of the core, one at a time, and reports which test finds each.

faults.py reads faults.toml, trees.py keeps the copy and its builds, running.py runs tests until one fails, and
__main__.py is the command.
"""
