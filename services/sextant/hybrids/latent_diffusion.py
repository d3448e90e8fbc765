"""The graph of latent diffusion under words (Rombach et al. 2022): a text encoder, a denoiser of latents, a decoder."""

from typing import Any


def latent_diffusion_graph(
    text: str, unet: str, vae: str, code: str, words: str, *, empty_prompt: bool
) -> dict[str, Any]:
    """Words to a picture, and a picture to another; of models by their names and latent spaces by their ids.

    With `empty_prompt` guidance leads away from the empty prompt, for a denoiser that learnt no condition of its own
    that stands for none.
    """
    reading: dict[str, Any] = {"read": {"model": text, "task": "encode"}, "paint": {"model": vae, "task": "decode"}}
    leading_away = []
    if empty_prompt:
        reading["nothing"] = {"model": text, "task": "encode", "text": ""}
        leading_away = [{"from": "nothing", "to": "denoise.negative", "space": words}]
    common = [
        {"from": "request.prompt", "to": "read.source"},
        {"from": "read", "to": "denoise.conditions", "space": words},
        *leading_away,
        {"from": "denoise", "to": "paint.source", "space": code},
    ]
    shown = {"answer": "paint", "stream": "denoise", "preview": "paint"}
    changing = [
        {**common[0], **({"otherwise": ""} if empty_prompt else {})},
        *common[1:],
        {"from": "request.source", "to": "place.source", "media": "image"},
        {"from": "place", "to": "denoise.source", "space": code},
        {"from": "request.mask", "to": "denoise.mask"},
        {"from": "request.strength", "to": "denoise.strength"},
    ]
    return {
        "generate": {**shown, "stages": {**reading, "denoise": {"model": unet, "task": "generate"}}, "edges": common},
        "transform": {
            **shown,
            "stages": {
                **reading,
                "place": {"model": vae, "task": "encode"},
                "denoise": {"model": unet, "task": "transform"},
            },
            "edges": changing,
        },
    }
