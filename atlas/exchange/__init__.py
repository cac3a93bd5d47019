"""In and out of other tools' layouts, and from one template to another."""

from atlas.exchange.correspondence import correspond
from atlas.exchange.formats import Source, find_sources, read, recognise, write
from atlas.exchange.transfer import transfer

__all__ = ["Source", "correspond", "find_sources", "read", "recognise", "transfer", "write"]
