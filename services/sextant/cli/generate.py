"""`sextant generate`: make something, streamed to the terminal."""

from typing import Annotated

import typer

from sextant.cli import generate_audio, generate_image, generate_music, generate_table
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client.answers import as_json as event_json
from sextant.client.requests import TextOptions
from sextant.contract.tasks import ChatMessage, Role

app = typer.Typer(no_args_is_help=True, help="Make something.")


app.command("image")(generate_image.image)
app.command("audio")(generate_audio.audio)
app.command("music")(generate_music.music)
app.command("table")(generate_table.table)


@app.command()
def text(
    prompt: Annotated[str, typer.Argument(help="What to write, or what to continue with --raw.")],
    system: Annotated[str | None, typer.Option(help="Instructions that come before the prompt.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens to generate.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Only the k most likely tokens.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Only the nucleus of probability p.")] = None,
    min_p: Annotated[float | None, typer.Option(help="Only tokens this likely against the likeliest.")] = None,
    repetition_penalty: Annotated[float | None, typer.Option(help="Above 1 discourages repetition.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="End before this text; may be repeated.")] = None,
    beams: Annotated[int | None, typer.Option(help="Sequence to sequence: above 1 a beam search.")] = None,
    logprobs: Annotated[int | None, typer.Option(help="With --json: the n most likely tokens at each place.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Continue the prompt as it stands, without a template.")] = False,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Write text. With --json, each event of the stream is a line of JSON; the receipt is the last."""
    options: TextOptions = {
        "model": model,
        "seed": seed,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "stop": stop or [],
        "logprobs": logprobs,
        "beams": beams,
        "continue_prompt": raw,
    }
    asked = prompt if system is None else [ChatMessage(Role.SYSTEM, system), ChatMessage(Role.USER, prompt)]
    with connect(target) as client:
        stream = client.generate_text(asked, timeout=timeout, **options)
        if as_json:
            for message in stream.raw():
                print_json(event_json(message), indent=None)
            return
        streamed = False
        try:
            for piece in stream:
                print(piece.text, end="", flush=True)
                streamed = True
            if not streamed:  # a beam search is known at its end alone
                print(stream.text, end="")
        finally:
            if stream.text:
                print(flush=True)
