"""The exceptions that hakmem raises. Each text is one line that says what was wrong and what to do."""


class UnsupportedError(RuntimeError):
    """Swapping CPython's allocators is not safe here; the text says why. Nothing was changed."""


class UnknownOptionError(KeyError):
    """There is no option of this name; the text names the one that was meant, or how to list all."""

    def __str__(self) -> str:
        """Return the text as it is; KeyError would put it in quotes."""
        return str(self.args[0]) if self.args else ""
