"""The families beside each other: what their manifests tell, and how much a training's luck decides."""
