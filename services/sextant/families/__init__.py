"""The families: six folders of one shape, and the one place that lists them."""
