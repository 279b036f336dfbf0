"""What the report says of each clustering of the sweep."""

import pyarrow as pa
import pytest

from coactivation_manifolds.report.experiment_page import sweep_rows


@pytest.mark.parametrize(
    ("headline", "suggested", "roles"),
    [
        ("components_j0.20", "components_j0.14", ["suggested", "at Jaccard 0.14, chosen by its rule", "this report"]),
        ("components_jauto", None, ["", "at Jaccard 0.14, chosen by its rule, this report", ""]),
        ("components_j0.20", "components_j0.20", ["", "at Jaccard 0.14, chosen by its rule", "suggested, this report"]),
    ],
)
def test_roles(headline, suggested, roles):
    names = ["components_j0.14", "components_jauto", "components_j0.20"]
    sweep = pa.table({"clustering": names, "threshold": [0.14, 0.14, 0.2]})
    assert [row["role"] for row in sweep_rows(sweep, headline=headline, suggested=suggested)] == roles
