"""Activations made elsewhere: read in three formats, checked, and cut into shards like harvested ones."""

from coactivation_manifolds.activations.importers.cutting import import_activations
from coactivation_manifolds.activations.importers.publishing import publish_import_shard
from coactivation_manifolds.activations.importers.rows_told import rows_told

__all__ = ["import_activations", "publish_import_shard", "rows_told"]
