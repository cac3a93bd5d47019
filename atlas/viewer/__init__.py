"""The atlas viewer: one HTML page that holds everything it shows and fetches nothing."""

from atlas.viewer.page import SHELL, viewer_page, write_viewer

__all__ = ["SHELL", "viewer_page", "write_viewer"]
