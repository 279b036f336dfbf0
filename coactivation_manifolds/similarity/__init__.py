"""From counts to affinities and their significance; decoder cosine."""
