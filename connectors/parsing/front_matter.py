"""Front matter: what stands before the text of a Markdown file for the generator of its site."""

import re

_FRONT_MATTER = re.compile(
    r"\A\ufeff?---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE
)
_TITLE = re.compile(r"^title[ \t]*:[ \t]*(.+?)[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
# Site generators' tags, as their pages use them: comments with their bodies, then every tag.
TAGS = re.compile(r"\{%-?\s*comment\s*-?%\}.*?\{%-?\s*endcomment\s*-?%\}|\{%[^\n]*?%\}", re.DOTALL)


def front_matter(text: str) -> tuple[str, int] | None:
    """Return the title that a file's front matter gives ("" for none) and where the text begins.

    None where there is no front matter.
    """
    found = _FRONT_MATTER.match(text)
    if found is None:
        return None
    title = _TITLE.search(found[1])
    return title[1].strip("\"'") if title else "", found.end()
