"""What a person can put right: one sentence that says what is wrong, where, and what to do. Torch-free."""


class Problem(Exception):
    """Bad input or a fault of the surroundings; its text is one sentence for people.

    Raised wherever something from outside is refused. The engine answers it with a Failed event, a
    headless command with that sentence on stderr and exit status 2. Never raised for our own bugs.
    """
