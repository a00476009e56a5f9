"""The default readers and unstructured on the same real files: python benchmarks/parsers.py DATA [--files N].

Takes N (100) of ``DATA/office_files`` that are of a format which unstructured reads here, as many of each
format as there are of all, and reads each with both, one at a time in a warm worker. Words are counted as
often as they stand: *found* is the share of the words of one that the other has too, over all files that
both read. Prints a table of formats, then anchors by kind (those out of bounds first), and times.
"""

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from connectors.documents import Parsed
from connectors.items import Raw
from connectors.parsing import ParserPool, second
from connectors.parsing.sniff import format_of

OURS, THEIRS = "kreuzberg", second.NAME
KINDS = ("page", "slide", "sheet", "heading", "row", "message")
EDGES = ".,;:!?()[]{}\"'|*-#<>"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one parser gave of one file. ``seconds`` of parsing alone."""

    parsed: Parsed
    seconds: float

    @property
    def words(self) -> Counter[str]:
        """The words of all its documents."""
        texts = (word.strip(EDGES).lower() for one in self.parsed.documents for word in one.text.split())
        return Counter(word for word in texts if word)

    @property
    def anchors(self) -> Counter[str]:
        """How many anchors of each kind."""
        return Counter(anchor.kind for one in self.parsed.documents for anchor in one.anchors)

    @property
    def astray(self) -> int:
        """How many anchors are empty, out of the text, or begin or end with white space."""
        return sum(
            not 0 <= anchor.start < anchor.end <= len(one.text)
            or one.text[anchor.start : anchor.end] != one.text[anchor.start : anchor.end].strip()
            for one in self.parsed.documents
            for anchor in one.anchors
        )

    @property
    def read(self) -> bool:
        """Whether it gave any document."""
        return bool(self.parsed.documents)


Pair = tuple[Reading, Reading]


def main() -> None:
    """Choose, read, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--files", type=int, default=100)
    given = arguments.parse_args()
    if why := second.absent():
        raise SystemExit(f"{why}: {second.INSTALL}")
    files = chosen(given.data / "office_files", given.files)
    read = {name: read_all(files, formats) for name, formats in ((OURS, ()), (THEIRS, second.FORMATS))}
    pairs = [
        (format_of(raw), (ours, theirs)) for raw, ours, theirs in zip(files, *read.values(), strict=True)
    ]
    print_formats(pairs)
    print_anchors([pair for _, pair in pairs])
    print_times([pair for _, pair in pairs])


def chosen(folder: Path, count: int) -> list[Raw]:
    """Return so many files, every format in its share, spread over the folder's order."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    raws = [Raw(str(path.relative_to(folder)), path.read_bytes(), path.name) for path in files]
    known = [raw for raw in raws if format_of(raw) in second.FORMATS]
    if not known:
        raise SystemExit(f"there is no file in {folder} that both read")
    ordered = sorted(known, key=lambda raw: (format_of(raw), raw.item))
    count = min(count, len(ordered))
    return [ordered[place * len(ordered) // count] for place in range(count)]


def read_all(files: Sequence[Raw], formats: Iterable[str]) -> list[Reading]:
    """Read every file in one worker, which has read one before the clock starts."""
    told = frozenset(formats)
    with ParserPool(workers=1) as pool:
        pool.parse(Raw("warm.txt", b"The worker is warm now.", "warm.txt", unstructured=told))
        readings = []
        for raw in files:
            began = time.perf_counter()
            parsed = pool.parse(replace(raw, unstructured=told))
            readings.append(Reading(parsed, time.perf_counter() - began))
    return readings


def print_formats(pairs: Sequence[tuple[str, Pair]]) -> None:
    """Print by format: files, how many each read, and how much of one's words the other has."""
    print(f"{'format':10}{'files':>6}{'read by':>10}{'read by':>14}{'kreuzb. words':>20}{'unstr. words':>20}")
    print(f"{'':16}{OURS:>10}{THEIRS:>14}{'found by unstr.':>20}{'found by kreuzb.':>20}")
    kinds = sorted({kind for kind, _ in pairs})
    for kind in (*kinds, "all"):
        some = [pair for one, pair in pairs if kind in (one, "all")]
        ours, theirs = (sum(pair[side].read for pair in some) for side in (0, 1))
        there, back = coverage([pair for pair in some if pair[0].read and pair[1].read])
        print(f"{kind:10}{len(some):6}{ours:10}{theirs:14}{there:20.3f}{back:20.3f}")


def coverage(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Return the share of the first one's words that the second has, and the other way round."""
    both = first = other = 0
    for ours, theirs in pairs:
        one, two = ours.words, theirs.words
        both, first, other = both + (one & two).total(), first + one.total(), other + two.total()
    return both / max(1, first), both / max(1, other)


def print_anchors(pairs: Sequence[Pair]) -> None:
    """Print how many anchors of each kind each gave."""
    print(f"\n{'anchors':14}{'astray':>9}" + "".join(f"{kind:>9}" for kind in KINDS))
    for side, name in enumerate((OURS, THEIRS)):
        found: Counter[str] = sum((pair[side].anchors for pair in pairs), Counter())
        astray = sum(pair[side].astray for pair in pairs)
        print(f"{name:14}{astray:9}" + "".join(f"{found[kind]:9,}" for kind in KINDS))


def print_times(pairs: Sequence[Pair]) -> None:
    """Print how long one file takes each, and how much longer the second takes."""
    print(f"\n{'seconds':14}{'median':>9}{'p95':>9}{'all':>9}")
    spent = [[pair[side].seconds for pair in pairs] for side in (0, 1)]
    for name, one in zip((OURS, THEIRS), spent, strict=True):
        late = statistics.quantiles(one, n=20)[-1] if len(one) > 1 else one[0]
        print(f"{name:14}{statistics.median(one):9.3f}{late:9.3f}{sum(one):9.1f}")
    ratio = statistics.median(theirs / ours for ours, theirs in zip(*spent, strict=True))
    print(f"unstructured takes {ratio:.1f} times as long for one file (median of the ratios)")


if __name__ == "__main__":
    main()
