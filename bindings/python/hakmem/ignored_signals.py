"""The signals that Python ignores: a program that it executes would go on ignoring them."""

import signal

IGNORED_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
