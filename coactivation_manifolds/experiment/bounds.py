"""Bounds that the check of an experiment and the computation share; nothing heavy is imported here."""

from decimal import Decimal

MAX_DECIMALS = 9
"""Of a threshold that is compared as a fraction of whole numbers: n * 10^9 fits 63 bits up to n = 9.2e9, more tokens
than one experiment counts."""

LEAST_COSINE = Decimal("0.30")
"""All pairs of decoder rows from here on are in cosine_edges.parquet, up to ``similarity.max_cosine_edges``."""
