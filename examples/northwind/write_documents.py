"""Write the binary documents of Northwind Paper & Post from the texts in ``originals/``.

Run from the root of the repository: ``python -m examples.northwind.write_documents [--out FOLDER]``.
An original is named after what it becomes: ``hr/bands.xlsx.md`` is written to ``hr/bands.xlsx``, and
``notice.scan.pdf.md`` to ``notice.scan.pdf``, a page without a text layer. Two runs give the same bytes.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from examples.northwind.writers.blocks import Original, read_original
from examples.northwind.writers.office import write_docx, write_pptx, write_xlsx
from examples.northwind.writers.open_formats import write_epub, write_odt, write_rtf
from examples.northwind.writers.pdf import write_pdf
from examples.northwind.writers.scan import write_png, write_scan_pdf

HERE = Path(__file__).parent

# Longest ending first: a scan is a pdf too.
WRITERS: dict[str, Callable[[Original], bytes]] = {
    ".scan.pdf": write_scan_pdf,
    ".pdf": write_pdf,
    ".png": write_png,
    ".docx": write_docx,
    ".xlsx": write_xlsx,
    ".pptx": write_pptx,
    ".odt": write_odt,
    ".epub": write_epub,
    ".rtf": write_rtf,
}


def write_all(originals: Path, out: Path) -> list[Path]:
    """Write every original below ``originals`` to the same place below ``out``; the paths written."""
    written = []
    for source in sorted(originals.rglob("*.md")):
        target = out / source.relative_to(originals).with_suffix("")
        writer = next(write for ending, write in WRITERS.items() if target.name.endswith(ending))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(writer(read_original(source)))
        written.append(target)
    return written


def main() -> None:
    """Write all files and print their paths."""
    parser = argparse.ArgumentParser(description="Write the binary documents of the example company.")
    parser.add_argument("--out", type=Path, default=HERE / "documents", help="where to write them")
    for path in write_all(HERE / "originals", parser.parse_args().out):
        print(path)


if __name__ == "__main__":
    main()
