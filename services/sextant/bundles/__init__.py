"""Model bundles on disk: what they hold, where they are, whether they may be served."""
