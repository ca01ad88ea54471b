"""Cannot be imported: a mistake on a line of its own."""


def prepare() -> int:
    """Fail."""
    return 1 // 0


prepare()
