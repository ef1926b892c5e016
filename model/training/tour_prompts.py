"""The tour's prompts, and the domains that an expert's subject stands for."""

from typing import NamedTuple


class Subject(NamedTuple):
    """A prompt for an expert of these domains; `name` is what the window calls it."""

    name: str
    domains: tuple[str, ...]
    prompt: str


TALE = (
    "Once upon a time there was a king who had three daughters, and the youngest of them went every morning "
    "to the old well behind the garden and looked down into the water."
)
PLAY = (
    "MARGARET:\nGood morrow, uncle. Have you seen my brother?\n\n"
    "UNCLE:\nI saw him in the garden, my dear, not an hour ago.\n\nMARGARET:\n"
)
WORDS = "wolf lamp rain pear tower king salt moon bridge fox cloud pen river gold owl"
TWICE = f"{WORDS} {WORDS}"
BRACKETS = "<bear [fox (pen) {bridge book}] (lamp [window milk] plum) rock>\n[{queen (tree)} snow]"
RECALL = "silver = 87\nmap = 26\nlamp = 35\nbook = 63\nkey = 44\nbook ? 63\nsilver ? 87\nlamp ? 35"
RECALL_ASKED = len("35")  # characters at the end that the model is to say itself

SUBJECTS = (
    Subject(
        "French",
        ("fr_prose",),
        "Le lendemain, quand le jour parut, la jeune fille ouvrit la fenêtre et regarda la mer. "
        "Elle pensait à son père, qui ne revenait pas.",
    ),
    Subject(
        "Chinese",
        ("zh_classical", "zh_modern", "zh_vernacular"),
        "话说那日天色已晚，众人在店中坐下，叫酒保取些酒肉来。只见门外走进一个大汉，手里提着一条棒，",
    ),
    Subject(
        "Russian",
        ("ru_drama",),
        "Варя:\nЧто это значит? Куда вы идёте?\n\n"
        "Лопахин:\nЯ не знаю. Пойдёмте в сад, там теперь никого нет.\n\nВаря:\n",
    ),
    Subject(
        "sums",
        ("synth_math",),
        "3 × 12 = 36\n81 × 2 = 162\n9 × 10 = 90\n12, 22, 32, 42, 52, 62\n35, 41, 47, 53, 59,",
    ),
    Subject(
        "Python",
        ("python",),
        'def read_lines(path, encoding="utf-8"):\n    """Return the lines of a file."""\n'
        "    with open(path, encoding=encoding) as file:\n        return [line.rstrip() for line in file]\n",
    ),
)
MIXED = "\n\n".join([TALE, *(subject.prompt.rstrip("\n") for subject in SUBJECTS), RECALL])
