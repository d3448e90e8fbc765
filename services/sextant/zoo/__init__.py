"""Recipes for the models that ship: their data, their hyper-parameters, and how they are judged.

Training only: nothing that serves imports this package. `comparison` alone needs no torch: it reads what is left of
trainings.
"""
