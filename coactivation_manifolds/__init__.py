"""Find latents of sparse autoencoders that fire together, and the geometry of their joint activations.

This file stays free of imports: every Snakemake job parses the Snakefile again, and the Snakefile imports from here.
"""
