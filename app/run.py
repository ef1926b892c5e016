"""Choose between the window and a headless command."""


def run(arguments: list[str]) -> int:
    """Placeholder until the commands arrive."""
    return 2 if arguments else 0
