"""Sextant serves every kind of generative model behind one gRPC door."""

__version__ = "0.1.0"
