"""In and out of other tools' layouts, and from one template to another."""

from atlas.exchange.formats import Source, find_sources, read, recognise, write
from atlas.exchange.transfer import correspond, transfer

__all__ = ["Source", "correspond", "find_sources", "read", "recognise", "transfer", "write"]
