"""Graphs that fit, and what is said of those that do not."""

import tomllib

import pytest
from pydantic import ValidationError

from sextant.contract.errors import BundleRefused
from sextant.contract.tasks import DiffusionParameters, TaskKind
from sextant.hybrids.hybrid import build_hybrid
from tests.hybrids.manifests import MODELS, PAINTING, hybrid


def refusal(graph: str, task: str = "generate") -> str:
    with pytest.raises(BundleRefused) as refused:
        build_hybrid(hybrid(graph, task), MODELS)
    return refused.value.reason


def painting(before: str, after: str) -> str:
    assert before in PAINTING
    return PAINTING.replace(before, after, 1)


def edge(source: str, to: str, **what: str) -> str:
    said = "".join(f'{key} = "{value}"\n' for key, value in what.items())
    return f'\n[[edges]]\nfrom = "{source}"\nto = "{to}"\n{said}'


def test_a_graph_that_fits_runs_its_stages_after_what_they_read():
    plan = build_hybrid(hybrid(), MODELS).plans[TaskKind.GENERATE]
    order = plan.order
    assert order.index("read") < order.index("denoise") < order.index("paint")
    assert order.index("nothing") < order.index("denoise")
    assert plan.parameters["denoise"] == DiffusionParameters(steps=20, guidance=3.0)
    assert plan.spaces["read"] == "words/tokens"


def test_a_hybrid_tells_the_size_of_what_its_answer_makes():
    network = build_hybrid(hybrid(), MODELS).manifest.network
    assert (network["width"], network["height"]) == (64, 64)


@pytest.mark.parametrize(
    ("before", "after", "edge_at_fault", "complaint"),
    [
        ('space = "faces/z"', 'space = "clothes/z"', "denoise -> paint.source", "does not know clothes/z"),
        ('space = "faces/z"', 'media = "image"', "denoise -> paint.source", "denoiser makes latent, not image"),
        ('to = "denoise.conditions"', 'to = "denoise.source"', "read -> denoise.source", "only as a condition"),
        ('model = "words"', 'model = "long-words"', "read -> denoise.conditions", "[0, 16] of words/tokens"),
        ('to = "paint.source"', 'to = "paint.mask"', "denoise -> paint.mask", "mask is not latent"),
        ('to = "paint.source"', 'to = "paint.ear"', "denoise -> paint.ear", "not 'ear'"),
        ('to = "paint.source"', 'to = "point.source"', "denoise -> point.source", "no stage 'point'"),
        ('from = "nothing"', 'from = "noone"', "noone -> denoise.negative", "no stage 'noone'"),
        ('from = "request.prompt"', 'from = "request.wish"', "request.wish -> read.source", "not 'wish'"),
        ('from = "request.prompt"', 'from = "request.mask"', "request.mask -> read.source", "words takes text"),
        ('from = "request.prompt"', 'from = "request.class_label"', "request.class_label -> read.source", "untyped"),
        ('space = "words/tokens"', "", "read -> denoise.conditions", "must say the medium or the latent space"),
    ],
)
def test_an_edge_that_does_not_fit_is_named(before, after, edge_at_fault, complaint):
    reason = refusal(painting(before, after))
    assert f"edge {edge_at_fault}: " in reason
    assert complaint in reason


def test_pictures_of_different_sizes_do_not_fit():
    graph = """
answer = "change"
[stages.draw]
model = "faces"
task = "generate"
[stages.change]
model = "clothes"
task = "transform"
""" + edge("draw", "change.source", media="image")
    reason = refusal(graph)
    assert "edge draw -> change.source: faces makes pictures of 64 x 64, clothes takes 28 x 28" in reason


def test_a_cycle_is_refused_with_an_edge_of_it():
    graph = (
        """
answer = "second"
[stages.first]
model = "denoiser"
task = "transform"
[stages.second]
model = "denoiser"
task = "transform"
"""
        + edge("first", "second.source", space="faces/z")
        + edge("second", "first.source", space="faces/z")
    )
    reason = refusal(graph)
    assert "closes a cycle" in reason
    assert "edge first -> second.source" in reason or "edge second -> first.source" in reason


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('model = "denoiser"', 'model = "nonesuch"', "stage denoise: model 'nonesuch' is unknown"),
        ('task = "decode"', 'task = "transform"', "stage paint: faces does not transform"),
        ("steps = 20", "strides = 20", "stage denoise: parameters: a diffusion has no parameter 'strides'"),
        ("steps = 20", 'steps = "many"', "stage denoise: parameters: steps"),
        ('text = "nothing"', "", "stage nothing: no edge leads to its source"),
        ('answer = "paint"', 'answer = "print"', "answer: there is no stage 'print'"),
        ('answer = "paint"', 'answer = "read"', "answer: stage read does encode"),
        ('preview = "paint"', 'preview = "read"', "preview: stage read does not decode"),
        ('stream = "denoise"', 'stream = "read"', "preview: stage paint must read read"),
    ],
)
def test_a_stage_that_does_not_fit_is_named(before, after, complaint):
    assert complaint in refusal(painting(before, after))


def test_two_edges_to_what_holds_one_thing_are_refused():
    assert "another one leads there already" in refusal(PAINTING + edge("request.prompt", "read.source"))


def test_a_stage_that_leads_nowhere_is_refused():
    idle = '\n[stages.idle]\nmodel = "words"\ntask = "encode"\ntext = "idle"\n'
    assert "stage idle: leads nowhere" in refusal(PAINTING.replace("\n[[edges]]", idle + "\n[[edges]]", 1))


def test_a_hybrid_is_no_stage():
    with pytest.raises(BundleRefused, match="stage read: painter is itself a hybrid"):
        build_hybrid(hybrid(painting('model = "words"', 'model = "painter"')), {**MODELS, "painter": hybrid()})


def test_a_hybrid_does_not_walk_paths():
    assert "does not walk paths" in refusal(PAINTING, "interpolate")


def test_a_promise_of_the_same_bytes_needs_that_of_every_stage():
    fickle = {**MODELS, "denoiser": MODELS["denoiser"].model_copy(update={"deterministic": False})}
    with pytest.raises(BundleRefused, match="stage denoise: it promises the same bytes"):
        build_hybrid(hybrid(), fickle)
    assert build_hybrid(hybrid(deterministic=False), fickle)


def test_its_tasks_are_those_of_its_graphs():
    with pytest.raises(BundleRefused, match="its tasks are transform"):
        build_hybrid(hybrid(tasks=["transform"]), MODELS)


def test_a_malformed_graph_is_refused_with_the_key():
    content = tomllib.loads(PAINTING)
    content["stages"]["read"]["modle"] = "words"
    with pytest.raises(BundleRefused, match=r"generate\.stages\.read\.modle"):
        build_hybrid(hybrid(content), MODELS)


@pytest.mark.parametrize("changes", [{"graph": {}}, {"family": "vae"}])
def test_a_graph_is_what_bundles_of_hybrids_hold_and_they_alone(changes):
    with pytest.raises(ValidationError):
        hybrid(**changes)


def test_choosing_needs_figures_to_compare():
    choose = '\n[choose]\ncandidates = 4\nby = ["read"]\n'
    assert "choose: by one stage that scores" in refusal(painting("\n[stages.read]", choose + "\n[stages.read]"))
