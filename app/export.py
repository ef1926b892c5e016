"""Pictures and numbers to take away: PNG, SVG, PDF, clipboard, npz, CSV.

A picture is painted anew by the widget itself at the wanted scale, never grabbed from the screen, so it
is sharp and the same in the window and from the `render` command.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QMimeData, QPoint, QRect, QSizeF
from PySide6.QtGui import QGuiApplication, QImage, QPageSize, QPaintDevice, QPainter, QPdfWriter
from PySide6.QtWidgets import QWidget

from model.problems import Problem

PICTURE_SUFFIXES = (".png", ".svg", ".pdf")
NUMBER_SUFFIXES = (".npz", ".csv")
DOTS_PER_METRE = 3780  # 96 dots per inch at scale 1


def save_picture(widget: QWidget, path: Path, *, scale: float = 1.0, title: str = "") -> None:
    """Paint a widget into a file by its suffix. Raises Problem when it cannot be written."""
    suffix = path.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise Problem(f"{path.name} cannot be a picture: end the name with .png, .svg or .pdf.")
    if not path.parent.is_dir():
        raise Problem(f"The folder {path.parent} does not exist, so no picture was written; choose another.")
    written = {".png": _save_png, ".svg": _save_svg, ".pdf": _save_pdf}[suffix](widget, path, scale, title)
    if not written or not path.exists():
        raise Problem(f"{path} could not be written; check that the folder is writable and the disk has room.")


def picture(widget: QWidget, *, scale: float = 1.0) -> QImage:
    """The widget as an image of `scale` device pixels per pixel."""
    image = QImage(widget.size() * scale, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(scale)
    image.setDotsPerMeterX(round(DOTS_PER_METRE * scale))
    image.setDotsPerMeterY(round(DOTS_PER_METRE * scale))
    image.fill(widget.palette().window().color())
    _paint(widget, image)
    return image


def copy_picture(widget: QWidget, *, scale: float = 2.0, text: str = "") -> None:
    """Put a picture, and a sentence that says what it shows, on the clipboard."""
    data = QMimeData()
    data.setImageData(picture(widget, scale=scale))
    if text:
        data.setText(text)
    QGuiApplication.clipboard().setMimeData(data)


def save_numbers(arrays: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    """Write arrays as npz, or as one CSV table in long form: name, indices, value."""
    if path.suffix.lower() not in NUMBER_SUFFIXES:
        raise Problem(f"{path.name} cannot hold numbers: end the name with .npz or .csv.")
    try:
        if path.suffix.lower() == ".npz":
            np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # the stub mistakes ** for allow_pickle
        else:
            _save_csv(arrays, path)
    except OSError as error:
        raise Problem(f"{path} could not be written ({error.strerror}); choose another place.") from error


def _save_csv(arrays: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    width = max((array.ndim for array in arrays.values()), default=0)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["name", *(f"index_{axis}" for axis in range(width)), "value"])
        for name, array in arrays.items():
            for index, value in np.ndenumerate(array):
                padding = [""] * (width - len(index))
                table.writerow([name, *index, *padding, value.item()])


def _save_png(widget: QWidget, path: Path, scale: float, title: str) -> bool:
    image = picture(widget, scale=scale)
    image.setText("Title", title)
    image.setText("Software", "Latent Loupe")
    return bool(image.save(str(path)))


def _save_svg(widget: QWidget, path: Path, scale: float, title: str) -> bool:
    from PySide6.QtSvg import QSvgGenerator  # late: the first paint should not wait for it

    generator = QSvgGenerator()
    generator.setFileName(str(path))
    generator.setSize(widget.size() * scale)
    generator.setViewBox(QRect(QPoint(0, 0), widget.size()))
    generator.setTitle(title)
    _paint(widget, generator)
    return True


def _save_pdf(widget: QWidget, path: Path, scale: float, title: str) -> bool:
    writer = QPdfWriter(str(path))
    writer.setTitle(title)
    points = QSizeF(widget.size()) * 0.75 * scale  # 96 pixels and 72 points to the inch
    writer.setPageSize(QPageSize(points, QPageSize.Unit.Point, "view", QPageSize.SizeMatchPolicy.ExactMatch))
    writer.setPageMargins(writer.pageLayout().margins() * 0)
    writer.setResolution(round(96 / scale))
    _paint(widget, writer)
    return True


def _paint(widget: QWidget, device: QPaintDevice) -> None:
    painter = QPainter(device)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    widget.render(
        painter, QPoint(0, 0), renderFlags=QWidget.RenderFlag.DrawWindowBackground | QWidget.RenderFlag.DrawChildren
    )
    painter.end()
