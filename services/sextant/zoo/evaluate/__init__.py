"""The measures by which generative models are judged. One measure a file, its paper and equation on top."""
