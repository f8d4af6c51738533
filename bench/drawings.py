"""The drawings of how it works: no numbers in them, but boxes, matrices and arrows."""

from collections.abc import Callable
from pathlib import Path

# An SVG that is an image on a page sees the colours that the page asks for.
PAGE = """
:root { --ink: #1f2328; --soft: #59636e; --grid: #d1d9e0; --box: #f3f5f8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #a3adb8; --grid: #454d57; --box: #222832 }
}
"""
FONTS = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
LANES = ["#3b6ea5", "#4f8fc0", "#5fa8c9", "#6fbdb0", "#9cc05f", "#d9b93f", "#e0924a", "#d0604f"]
THREADS = ["#3f88d8", "#e0924a"]


class Drawing:
    """Elements of an SVG, in the order in which they were drawn."""

    def __init__(self, width: float, height: float, label: str) -> None:
        self.size, self.label = (width, height), label
        self.elements: list[str] = []

    def box(self, x: float, y: float, w: float, h: float, fill: str, opacity: float = 1, corner: float = 0) -> None:
        self.elements.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{corner:g}" fill="{fill}" '
            f'fill-opacity="{opacity:g}" stroke="var(--soft)" stroke-width="0.6"/>'
        )

    def text(self, x: float, y: float, text: str, size: float = 13, anchor: str = "middle", bold: bool = False) -> None:
        weight = ' font-weight="bold"' if bold else ""
        text = text.replace("&", "&amp;").replace("<", "&lt;")
        self.elements.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}"{weight} fill="var(--ink)">'
            f"{text}</text>"
        )

    def texts(self, x: float, y: float, lines: list[str], size: float = 12, anchor: str = "middle") -> None:
        for i, text in enumerate(lines):
            self.text(x, y + i * (size + 4), text, size, anchor)

    def arrow(self, x1: float, y1: float, x2: float, y2: float, head: bool = True) -> None:
        marker = ' marker-end="url(#head)"' if head else ""
        self.elements.append(
            f'<path d="M{x1:g} {y1:g} L{x2:g} {y2:g}" stroke="var(--ink)" stroke-width="1.5" fill="none"{marker}/>'
        )

    def svg(self) -> str:
        width, height = self.size
        start = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
        label = f'viewBox="0 0 {width:g} {height:g}" font-family="{FONTS}" role="img" aria-label="{self.label}">'
        head = '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        return "\n".join(
            [
                f"{start} {label}",
                f"<style>{PAGE}</style>",
                f'<defs>{head}<path d="M0 0 L8 4 L0 8 z" fill="var(--ink)"/></marker></defs>',
                *self.elements,
                "</svg>\n",
            ]
        )


def lanes() -> Drawing:
    drawing = Drawing(
        1080,
        290,
        "A stack of 8 matrices is packed into a tile of 3 by 3 vectors with a lane for each matrix, factored with a "
        "pivot of its own in each lane, inverted, and unpacked",
    )

    def matrix(x: float, y: float, colour: str) -> None:
        for i in range(3):
            for j in range(3):
                drawing.box(x + j * 13, y + i * 13, 13, 13, colour)

    def tile(x: float, y: float, shown: Callable[[int, int, int], bool] = lambda i, j, lane: True) -> None:
        for i in range(3):
            for j in range(3):
                for lane, colour in enumerate(LANES):
                    opacity = 1 if shown(i, j, lane) else 0.15
                    drawing.box(x + j * 68 + lane * 62 / 8, y + i * 36, 62 / 8, 30, colour, opacity)

    def stage(x: float, title: str, subtitle: str) -> None:
        drawing.text(x, 22, title, 15, bold=True)
        drawing.text(x, 41, subtitle, 12)

    pivots = [0, 2, 1, 1, 0, 2, 2, 1]
    stage(66, "1  a stack", "8 matrices of 3 × 3")
    stage(280, "2  a tile", "an element of all 8 in one vector")
    stage(540, "3  pivots, lane by lane", "each matrix chooses its own row")
    stage(800, "4  U⁻¹, then X L = U⁻¹", "one instruction works for all 8")
    stage(1012, "5  the inverses", "columns in order")
    for lane, colour in enumerate(LANES):
        matrix(18 + lane % 2 * 56, 58 + lane // 2 * 50, colour)
        matrix(964 + lane % 2 * 56, 58 + lane // 2 * 50, colour)
    tile(182, 92)
    tile(442, 92, lambda i, j, lane: j > 0 or i == pivots[lane])
    tile(702, 92)
    drawing.text(66, 276, "as they lie in memory", 12)
    drawing.texts(280, 222, ["8 numbers of each matrix are read at once;", "8 × 8 of them are transposed in registers"])
    drawing.texts(540, 222, ["the largest of the first column; masks", "exchange rows in some lanes only"])
    drawing.texts(800, 222, ["sums of products in registers,", "in blocks of 4 × 4 vectors"])
    drawing.text(1012, 276, "where they belong", 12)
    for x, text in ((132, "pack"), (392, "LU"), (652, "invert"), (912, "unpack")):
        drawing.arrow(x, 146, x + 42, 146)
        drawing.text(x + 20, 134, text, 12)
    return drawing


def way() -> Drawing:
    drawing = Drawing(1000, 330, "The way of the data from the array given through the engines to the result")

    def room(x: float, y: float, w: float, h: float, title: str, lines: list[str]) -> None:
        drawing.box(x, y, w, h, "var(--box)", corner=8)
        drawing.text(x + w / 2, y + 24, title, 14, bold=True)
        drawing.texts(x + w / 2, y + 46, lines)

    def stack(x: float, y: float, title: str) -> None:
        for i, colour in enumerate(LANES[::-1]):
            drawing.box(x + 4 * (7 - i), y + 4 * (7 - i), 46, 46, colour)
        drawing.text(x + 38, y - 12, title, 13, bold=True)

    stack(16, 120, "a")
    drawing.texts(54, 218, ["any strides,", "types, byte order"])
    drawing.arrow(100, 158, 130, 158)
    room(134, 96, 170, 124, "NumPy's contract", ["what types and shapes", "mean, what is raised", "", "Python"])
    drawing.arrow(304, 158, 336, 158)
    room(340, 96, 170, 124, "loop over the stack", ["chunks of matrices,", "threads, no GIL", "", "C"])
    for y in (50, 158, 266):
        drawing.arrow(510, 158, 562, y)
    room(566, 6, 250, 88, "lanes engine", ["a small matrix in each lane", "of the vectors, M up to about 80"])
    room(566, 114, 250, 88, "blocked engine", ["one matrix in blocks, in tasks", "that threads may share"])
    room(566, 222, 250, 88, "LAPACK engine", ["getrf and getri through SciPy,", "if it is asked for"])
    for y in (50, 158, 266):
        drawing.arrow(816, y, 852, 158, head=False)
    drawing.arrow(852, 158, 880, 158)
    stack(886, 120, "out")
    drawing.texts(924, 218, ["each written once,", "past the caches if large"])
    return drawing


def blocked() -> Drawing:
    drawing = Drawing(1000, 340, "Strips of eight rows; blocks of columns as tasks; groups of rows as tasks")

    def title(x: float, text: str, subtitle: str) -> None:
        drawing.text(x, 22, text, 15, bold=True)
        drawing.text(x, 41, subtitle, 12)

    title(150, "1  strips", "8 rows of a column are one vector")
    for strip in range(4):
        for column in range(16):
            drawing.box(38 + column * 14, 60 + strip * 50, 12, 46, LANES[strip], 0.35 + 0.6 * (column == 5))
    drawing.arrow(40, 272, 258, 272)
    drawing.texts(150, 294, ["in memory: a strip column by column,", "then the next strip"])

    title(500, "2  factor", "blocks of 64 columns are tasks")
    for block in range(6):
        drawing.box(400 + block * 34, 60, 30, 196, THREADS[block % 2], 0.75 if block < 4 else 0.25)
        drawing.text(415 + block * 34, 250, "done" if block < 3 else "", 9)
    for block in range(3):
        drawing.arrow(416 + block * 34, 84 + block * 22, 510, 84 + block * 22)
    drawing.texts(
        500,
        278,
        [
            "A block takes products of all that are done,",
            "is factored, and stays as it is:",
            "a pipeline, with no barrier",
        ],
    )

    title(836, "3  invert", "groups of rows of A⁻¹ are tasks")
    for group in range(6):
        drawing.box(738, 60 + group * 34, 196, 30, THREADS[group % 2], 0.75 if group < 3 else 0.25)
        drawing.text(836, 80 + group * 34, "Y U = I, X L = Y, columns in order" if group < 3 else "", 11)
    drawing.texts(836, 278, ["L and U are only read; a group's rows go", "to where the user has the result"])

    for i, colour in enumerate(THREADS):
        drawing.box(310, 120 + i * 26, 14, 14, colour, 0.75)
        drawing.text(330, 132 + i * 26, f"thread {i + 1}", 12, "start")
    return drawing


def draw(directory: Path) -> None:
    for one in (lanes, way, blocked):
        (directory / f"{one.__name__}.svg").write_text(one().svg())
