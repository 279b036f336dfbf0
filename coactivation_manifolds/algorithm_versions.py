"""One number for each stage, raised whenever the stage's results change.

The workflow passes a stage's number as a param of its rules: editing code, comments or config layout reruns nothing by
itself; raising the number here reruns the stage and all that follows. ``tests/workflow/test_golden_hashes.py`` fails
when results change while the number did not.
"""

ALGORITHM_VERSION: dict[str, int] = {
    "training": 1,
    "corpus": 2,
    "activations": 2,
    "import": 2,
    "index": 1,
    "null": 1,
    "cooccurrence": 2,
    "similarity": 3,
    "cosine": 1,
    "clustering": 2,
    "geometry": 1,
    "shape_draws": 4,
    "shape_tests": 4,
    "ranking": 1,
    "stability": 1,
    "connected_sets": 4,
    "finds": 1,
    "figures": 4,
    "report": 4,
}
