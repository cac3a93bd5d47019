"""The command line ``face-atlas``: one module a command."""
