"""The recipes, by name."""

from sextant.zoo.recipe import Recipe
from sextant.zoo.recipes import flow, gan, vae


def all_recipes() -> dict[str, Recipe]:
    """Every recipe by the name of its model."""
    return {recipe.name: recipe for group in (vae.RECIPES, gan.RECIPES, flow.RECIPES) for recipe in group}
