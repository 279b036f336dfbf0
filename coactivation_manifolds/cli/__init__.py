"""The command-line tool ``coactivation-manifolds``: what is not a file target of the workflow."""

from coactivation_manifolds.cli.main import main

__all__ = ["main"]
