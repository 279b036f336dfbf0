"""HTML pages: one cluster, the atlas, the experiment."""
