"""Ray Serve deployments: one per family, each hosting that family's bundles."""
