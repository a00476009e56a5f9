"""Which of several pages with one content stands for all of them."""

from collections.abc import Mapping


def standing_for(pages: Mapping[str, str | None], moved: Mapping[str, str]) -> dict[str, str]:
    """Return for each page the one that stands for it, itself or another of ``pages``.

    ``pages``: page -> the address that it names as canonical. ``moved``: address -> where it redirects to.
    A name that is none of the pages counts for nothing. Chains are followed to their end; of pages that name
    each other in a circle, the first by its address stands for all. The order of the pages plays no part.
    """
    named = {
        page: target
        for page, canonical in pages.items()
        if canonical is not None and (target := moved.get(canonical, canonical)) in pages and target != page
    }
    found: dict[str, str] = {}
    for page in pages:
        path: list[str] = []
        at = page
        while at not in found and at in named and at not in path:
            path.append(at)
            at = named[at]
        end = min(path[path.index(at) :]) if at in path else found.get(at, at)
        found.update(dict.fromkeys([*path, at], end))
    return {page: found[page] for page in pages}
