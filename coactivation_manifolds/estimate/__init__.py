"""What a run will take, before it runs: from the configuration and from measured rates."""
