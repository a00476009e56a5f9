"""A source of ``ragflow.yaml`` -> its connector."""

from connectors.beir import Beir
from connectors.files import Files
from connectors.items import Connector
from ragflow.sections import FilesSource, Source


def connector(source: Source, path: str) -> Connector:
    """Return the connector of a configured source; ``path`` is absolute, or a URL."""
    if isinstance(source, FilesSource):
        return Files(
            path,
            readers=source.readers,
            include=source.include,
            exclude=source.exclude,
            max_bytes=source.max_bytes,
        )
    return Beir(path, readers=source.readers)
