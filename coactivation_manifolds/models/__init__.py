"""Language models and sparse autoencoders, loaded and hooked as their makers meant."""
