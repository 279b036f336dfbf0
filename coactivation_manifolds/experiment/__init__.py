"""The experiment file: reading, defaults, validation, and what follows from it before anything runs."""
