"""Pictures and numbers that leave the program."""

import csv
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QLabel

from app.export import copy_picture, save_numbers, save_picture
from model.problems import Problem


@pytest.fixture
def label(qtbot) -> QLabel:
    label = QLabel("Latent Loupe")
    label.setStyleSheet("background: #336699; color: #ffffff")
    label.resize(200, 80)
    qtbot.addWidget(label)
    return label


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_png_has_the_widgets_pixels_times_the_scale(label, tmp_path, scale):
    save_picture(label, tmp_path / "a.png", scale=scale, title="a label")
    image = QImage(str(tmp_path / "a.png"))
    assert (image.width(), image.height()) == (200 * scale, 80 * scale)
    assert image.pixelColor(2, 2).name() == "#336699"
    assert image.text("Title") == "a label"


def test_an_svg_keeps_text_as_text(label, tmp_path):
    save_picture(label, tmp_path / "a.svg", title="a label")
    root = ET.parse(tmp_path / "a.svg").getroot()
    assert root.get("viewBox") == "0 0 200 80"
    assert "Latent Loupe" in "".join(root.itertext())


def test_a_pdf_has_one_page_of_the_widgets_size(label, tmp_path):
    save_picture(label, tmp_path / "a.pdf")
    body = (tmp_path / "a.pdf").read_bytes()
    assert body.startswith(b"%PDF")
    assert b"/MediaBox [0 0 150 60]" in body.replace(b".000000", b"")


def test_a_picture_that_cannot_be_written_says_where_and_what_to_do(label, tmp_path):
    with pytest.raises(Problem, match="does not exist"):
        save_picture(label, tmp_path / "nowhere" / "a.png")
    with pytest.raises(Problem, match=r"end the name with \.png"):
        save_picture(label, tmp_path / "a.gif")
    with pytest.raises(Problem, match="could not be written"):
        save_picture(label, tmp_path / ("a" * 300 + ".png"))


def test_numbers_come_back_from_npz_bit_for_bit(tmp_path):
    arrays = {"probabilities": np.array([[0.1, np.nan]], np.float32), "ids": np.arange(3)}
    save_numbers(arrays, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        assert set(file) == set(arrays)
        assert file["probabilities"].tobytes() == arrays["probabilities"].tobytes()


def test_numbers_in_csv_are_one_cell_a_line_with_their_indices(tmp_path):
    save_numbers({"load": np.array([[1, 2], [3, 4]]), "layers": np.array([5])}, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["name", "index_0", "index_1", "value"]
    assert lines[3] == ["load", "1", "0", "3"]
    assert lines[5] == ["layers", "0", "", "5"]


@pytest.fixture
def clipboard(qapp):
    yield QGuiApplication.clipboard()
    # The offscreen platform frees what is left there after Qt itself has gone, and crashes.
    QGuiApplication.clipboard().clear()


def test_the_clipboard_gets_picture_and_sentence(label, clipboard):
    copy_picture(label, scale=2, text="a label")
    data = clipboard.mimeData()
    assert data.text() == "a label"
    assert data.imageData().width() == 400
