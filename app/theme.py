"""One QPalette and one style sheet made from a Palette: everything the window wears."""

from functools import lru_cache
from string import Template

from PySide6.QtCore import QLoggingCategory
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from widgets.palette import Palette

UI_FAMILIES = ("Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "DejaVu Sans")
MONO_FAMILIES = ("JetBrains Mono", "SF Mono", "Cascadia Mono", "Noto Sans Mono", "DejaVu Sans Mono")
HAN_FAMILIES = ("Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Micro Hei")
UI_PIXELS = 13


def apply_theme(application: QApplication, palette: Palette) -> None:
    """Dress the application; every widget repaints by itself."""
    # A script without an OpenType font is drawn with another; Qt need not say so for every token.
    QLoggingCategory.setFilterRules("qt.text.font.db=false")
    if application.style().name() != "fusion":
        application.setStyle("Fusion")
    application.setFont(ui_font())
    application.setPalette(_qt_palette(palette))
    application.setStyleSheet(_style_sheet(palette))


def ui_font() -> QFont:
    """The interface's font: Inter where present, Han glyphs from the first CJK family there is."""
    font = QFont()
    font.setFamilies(_present(UI_FAMILIES) + _present(HAN_FAMILIES))
    font.setPixelSize(UI_PIXELS)
    return font


def mono_font() -> QFont:
    """The font of tokens."""
    font = QFont()
    font.setFamilies(_present(MONO_FAMILIES) + _present(HAN_FAMILIES))
    font.setPixelSize(12)
    return font


def has_han_font() -> bool:
    """Whether Chinese can be drawn."""
    return bool(_present(HAN_FAMILIES))


def _present(families: tuple[str, ...]) -> list[str]:
    return [family for family in families if family in _installed()]


@lru_cache(maxsize=1)
def _installed() -> frozenset[str]:
    return frozenset(QFontDatabase.families())


def _qt_palette(palette: Palette) -> QPalette:
    made = QPalette()
    roles = {
        QPalette.ColorRole.Window: "background",
        QPalette.ColorRole.Base: "surface",
        QPalette.ColorRole.AlternateBase: "raised",
        QPalette.ColorRole.Button: "raised",
        QPalette.ColorRole.ToolTipBase: "raised",
        QPalette.ColorRole.WindowText: "text",
        QPalette.ColorRole.Text: "text",
        QPalette.ColorRole.ButtonText: "text",
        QPalette.ColorRole.ToolTipText: "text",
        QPalette.ColorRole.PlaceholderText: "faint",
        QPalette.ColorRole.Highlight: "accent",
        QPalette.ColorRole.HighlightedText: "on_accent",
        QPalette.ColorRole.Mid: "line",
        QPalette.ColorRole.Light: "line",
        QPalette.ColorRole.Dark: "line",
        QPalette.ColorRole.Link: "accent",
    }
    for role, name in roles.items():
        made.setColor(role, QColor(getattr(palette, name)))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(palette.faint))
    return made


def _style_sheet(palette: Palette) -> str:
    roles = ("background", "surface", "raised", "line", "text", "muted", "faint", "accent", "on_accent", "good")
    values = {name: getattr(palette, name) for name in (*roles, "warn", "bad")}
    return Template(STYLE_SHEET).substitute(values)


STYLE_SHEET = """
QMainWindow, QDialog { background: $background; }
QMainWindow::separator { background: $background; width: 8px; height: 8px; }
QToolTip { background: $raised; color: $text; border: 1px solid $line; padding: 4px 6px; }
QLabel { background: transparent; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="faint"] { color: $faint; }
QLabel[role="hint"] { color: $muted; padding: 24px; }
QLabel[role="panel-title"] { font-weight: 600; }
QLabel[role="section"] { color: $muted; font-size: 11px; font-weight: 600; letter-spacing: 1px; }
QLabel[role="number"] { font-weight: 600; }
QFrame[role="panel"] { background: $surface; border: 1px solid $line; border-radius: 8px; }
QFrame[role="panel"][docked="true"] { border-top: none; border-top-left-radius: 0; border-top-right-radius: 0; }
QFrame[role="panel-header"][docked="true"] { background: $surface; border: 1px solid $line;
    border-top-left-radius: 8px; border-top-right-radius: 8px; }
QFrame[role="panel"][marked="true"], QFrame[role="panel-header"][docked="true"][marked="true"] {
    border-color: $accent; }
QFrame[role="bar"] { background: $surface; border: none; }
QFrame[role="chip"] { background: $raised; border: 1px solid $line; border-radius: 6px; }
QFrame[role="chip"]:hover, QFrame[role="chip"]:focus { border-color: $faint; }
QFrame[role="chip"][tone="good"] { border-color: $good; }
QFrame[role="chip"][tone="bad"] { border-color: $bad; }
QFrame[role="notice"] { background: $raised; border: 1px solid $warn; border-radius: 6px; }
QPushButton { background: $raised; color: $text; border: 1px solid $line; border-radius: 6px; padding: 5px 12px; }
QPushButton:hover { border-color: $faint; }
QPushButton:focus { border-color: $accent; }
QPushButton:pressed { background: $line; }
QPushButton:disabled { color: $faint; background: $surface; }
QPushButton[role="primary"] { background: $accent; color: $on_accent; border-color: $accent; font-weight: 600; }
QPushButton[role="primary"]:disabled { background: $raised; color: $faint; border-color: $line; }
QPushButton[role="primary"]:focus { border-color: $text; }
QPushButton[role="quiet"] { background: transparent; border: none; padding: 2px 6px; color: $muted; }
QPushButton[role="quiet"]:hover { color: $text; }
QPushButton[role="quiet"]:focus { color: $accent; }
QPushButton[segment] { border-radius: 0; padding: 3px 10px; color: $muted; border-bottom: 2px solid $line; }
QPushButton[segment="first"] { border-top-left-radius: 6px; border-bottom-left-radius: 6px; border-right: none; }
QPushButton[segment="last"] { border-top-right-radius: 6px; border-bottom-right-radius: 6px; border-left: none; }
QPushButton[segment="only"] { border-radius: 6px; }
QPushButton[segment="middle"] { border-left: none; border-right: none; }
QPushButton[segment]:checked { color: $text; border-bottom: 2px solid $accent; background: $surface; }
QPushButton[segment]:focus { color: $accent; }
QPlainTextEdit, QTextEdit, QLineEdit, QSpinBox, QDoubleSpinBox {
    background: $raised; color: $text; border: 1px solid $line; border-radius: 6px; padding: 4px 6px;
    selection-background-color: $accent; selection-color: $on_accent;
}
QPlainTextEdit:focus, QTextEdit:focus, QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus { border-color: $accent; }
QComboBox { background: $raised; color: $text; border: 1px solid $line; border-radius: 6px; padding: 3px 8px; }
QComboBox:focus { border-color: $accent; }
QComboBox::drop-down { border: none; width: 18px; }
QComboBox QAbstractItemView { background: $raised; color: $text; border: 1px solid $line;
    selection-background-color: $accent; selection-color: $on_accent; }
QMenuBar { background: $surface; color: $text; border-bottom: 1px solid $line; }
QMenuBar::item { padding: 4px 10px; background: transparent; }
QMenuBar::item:selected { background: $raised; }
QMenu { background: $raised; color: $text; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 20px; border-radius: 4px; }
QMenu::item:selected { background: $accent; color: $on_accent; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $line; margin: 4px 6px; }
QStatusBar { background: $surface; color: $muted; border-top: 1px solid $line; }
QStatusBar::item { border: none; }
QProgressBar { background: $raised; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 2px; }
QScrollBar::handle { background: $line; border-radius: 3px; min-height: 24px; min-width: 24px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QTabBar::tab { background: transparent; color: $muted; padding: 5px 12px; border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $text; border-bottom: 2px solid $accent; }
QListWidget, QTableWidget, QTreeWidget { background: transparent; border: none; outline: none; }
QListWidget::item { padding: 3px 4px; border-radius: 4px; }
QListWidget::item:selected { background: $raised; color: $text; }
QDockWidget { titlebar-close-icon: none; }
"""
