"""Exact co-occurrence counts: per shard, merged, recounted."""
