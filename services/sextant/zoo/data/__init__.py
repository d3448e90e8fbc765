"""The data sets that the shipped models are trained on, and where each is to be had."""
