"""Whether results are whole and right, how they came about, and what of them is taken along."""
