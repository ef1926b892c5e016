"""The tour's pictures, painted without a display by a real engine: hurried through all stops but one."""

from pathlib import Path

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from app.tour_pictures import SIZE, take_tour


def test_the_card_and_a_wanted_stop_are_painted(qapp: QApplication, tmp_path: Path):
    files = take_tour(tmp_path, qapp, theme="light", only=("devices",))
    assert [file.name for file in files] == ["card.png", "tour-devices.png"]
    pictures = [QImage(str(file)) for file in files]
    assert [(picture.width(), picture.height()) for picture in pictures] == [SIZE, SIZE]
    assert pictures[0] != pictures[1]
