"""The one entry: the window, or a headless command. Imports nothing heavy at module level.

The engine process imports this module again when it is spawned; whatever stood here would load twice.
"""

import sys


def main(arguments: list[str]) -> int:
    """Run the program; returns the process's exit status."""
    from app.run import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
