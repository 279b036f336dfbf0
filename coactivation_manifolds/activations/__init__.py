"""Token-major activation shards: harvest, import, read, index."""
