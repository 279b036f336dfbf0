"""Points, principal components and scores of single clusters."""
