"""Bytes -> canonical text with anchors: ``parse`` in this process, ``ParserPool`` in limited workers."""

from connectors.parsing.dispatch import parse
from connectors.parsing.pool import ParserPool

__all__ = ["ParserPool", "parse"]
