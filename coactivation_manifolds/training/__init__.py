"""Small models and SAEs made on the spot, for the demo and the pydocs experiment."""
