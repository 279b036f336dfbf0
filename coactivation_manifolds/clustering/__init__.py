"""From edges to clusters, and how they compare with cosine clusters."""
