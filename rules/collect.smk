"""Targets that only gather files of several stages.

Needs: nothing of its own. Makes: nothing but what it asks for.
"""


rule edges:
    """The edges of every experiment in config/config.yaml."""
    input:
        expand(paths.EDGES, experiment=config["experiments"]),


rule finds:
    """What was found in every experiment in config/config.yaml."""
    input:
        expand(paths.FINDS_SUMMARY, experiment=config["experiments"]),


rule sweeps:
    """The clusterings of every experiment in config/config.yaml."""
    input:
        expand(paths.SWEEP_ELBOW, experiment=config["experiments"]),
