"""Which characters no installed font can draw, so that they are shown by number instead of as empty boxes.

Besides being unreadable, the first such character in every font sends Qt through all fonts there are.
"""

from bisect import bisect_right
from functools import lru_cache

from PySide6.QtGui import QFontDatabase, QGuiApplication

Systems = QFontDatabase.WritingSystem

# First and last code point of a script's block, and the writing systems of which one suffices to draw it.
BLOCKS: tuple[tuple[int, int, tuple[Systems, ...]], ...] = (
    (0x0370, 0x03FF, (Systems.Greek,)),
    (0x0400, 0x052F, (Systems.Cyrillic,)),
    (0x0530, 0x058F, (Systems.Armenian,)),
    (0x0590, 0x05FF, (Systems.Hebrew,)),
    (0x0600, 0x06FF, (Systems.Arabic,)),
    (0x0700, 0x074F, (Systems.Syriac,)),
    (0x0780, 0x07BF, (Systems.Thaana,)),
    (0x07C0, 0x07FF, (Systems.Nko,)),
    (0x0900, 0x097F, (Systems.Devanagari,)),
    (0x0980, 0x09FF, (Systems.Bengali,)),
    (0x0A00, 0x0A7F, (Systems.Gurmukhi,)),
    (0x0A80, 0x0AFF, (Systems.Gujarati,)),
    (0x0B00, 0x0B7F, (Systems.Oriya,)),
    (0x0B80, 0x0BFF, (Systems.Tamil,)),
    (0x0C00, 0x0C7F, (Systems.Telugu,)),
    (0x0C80, 0x0CFF, (Systems.Kannada,)),
    (0x0D00, 0x0D7F, (Systems.Malayalam,)),
    (0x0D80, 0x0DFF, (Systems.Sinhala,)),
    (0x0E00, 0x0E7F, (Systems.Thai,)),
    (0x0E80, 0x0EFF, (Systems.Lao,)),
    (0x0F00, 0x0FFF, (Systems.Tibetan,)),
    (0x1000, 0x109F, (Systems.Myanmar,)),
    (0x10A0, 0x10FF, (Systems.Georgian,)),
    (0x1680, 0x169F, (Systems.Ogham,)),
    (0x16A0, 0x16FF, (Systems.Runic,)),
    (0x1780, 0x17FF, (Systems.Khmer,)),
    (0x3040, 0x30FF, (Systems.Japanese,)),
    (0x3400, 0x9FFF, (Systems.SimplifiedChinese, Systems.TraditionalChinese, Systems.Japanese)),
    (0xAC00, 0xD7A3, (Systems.Korean,)),
)
STARTS = tuple(first for first, _, _ in BLOCKS)


def drawable(character: str) -> bool:
    """Whether some installed font has this character's script. True while there is no application to ask."""
    code = ord(character)
    if code < STARTS[0] or QGuiApplication.instance() is None:
        return True
    _first, last, systems = BLOCKS[bisect_right(STARTS, code) - 1]
    return code > last or not _present().isdisjoint(systems)


@lru_cache(maxsize=1)
def _present() -> frozenset[Systems]:
    return frozenset(QFontDatabase.writingSystems())
