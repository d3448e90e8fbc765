"""The recipes, by name."""

from sextant.zoo.recipe import Recipe
from sextant.zoo.recipes import autoregressive, diffusion, flow, gan, music, phonemes, vae
from sextant.zoo.recipes.hybrids import cascade, latent_diffusion, parti, unclip, vqgan


def all_recipes() -> dict[str, Recipe]:
    """Every recipe by the name of its model."""
    families = (vae, gan, flow, diffusion, music, autoregressive, phonemes)
    hybrids = (latent_diffusion, cascade, unclip, vqgan, parti)
    return {recipe.name: recipe for family in (*families, *hybrids) for recipe in family.RECIPES}
