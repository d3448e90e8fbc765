"""The guide's file and the router, on made-up models."""

from dataclasses import replace

import pytest

from sextant.bundles.manifest import File, LatentSpace, Manifest, Measurement
from sextant.contract.errors import ModelNotFound
from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.options import Priority
from sextant.contract.tasks import TaskKind
from sextant.gateway.guide.decision import RejectionReason, Wanted
from sextant.gateway.guide.router import decide
from sextant.gateway.guide.schema import Guide, GuideError, default_guide_path, load_guide
from sextant.replicas.served import ServedModel

G, T, I, E, D, S = (  # noqa: E741 - the six tasks
    TaskKind.GENERATE, TaskKind.TRANSFORM, TaskKind.INTERPOLATE, TaskKind.ENCODE, TaskKind.DECODE, TaskKind.SCORE
)  # fmt: skip
IMAGE, TEXT, AUDIO, MUSIC, TABLE, LATENT = (
    Modality.IMAGE, Modality.TEXT, Modality.AUDIO, Modality.MUSIC, Modality.TABLE, Modality.LATENT
)  # fmt: skip


def model(name, family, tasks, inputs, outputs, *, space="", exact=False, quality=None) -> ServedModel:
    measurements = () if quality is None else (Measurement(name="quality", value=quality, unit="1", conditions=""),)
    manifest = Manifest(
        name=name,
        version="1.0.0",
        family=family,
        architecture="x",
        description="",
        tasks=tasks,
        inputs=inputs,
        outputs=outputs,
        latent_spaces=(LatentSpace(id=space, shape=(2,)),) if space else (),
        score_estimator=Estimator.EXACT if exact else None,
        deterministic=True,
        license="x",
        provenance="x",
        measurements=measurements,
        files={"a.onnx": File(sha256="0" * 64, bytes=1)},
    )
    return ServedModel(manifest, "0" * 64, 1, ("CPUExecutionProvider",), "1")


MODELS = {
    served.manifest.name: served
    for served in (
        model("llm", "transformer", (G, S), (TEXT,), (TEXT,), exact=True),
        model("sentences", "transformer", (E, T), (TEXT,), (LATENT, TEXT), space="sentences"),
        model("ddpm", "diffusion", (G, T, S), (IMAGE,), (IMAGE,), quality=0.9),
        model("ddpm-small", "diffusion", (G,), (), (IMAGE,), quality=0.7),
        model("bach", "diffusion", (G,), (), (MUSIC, AUDIO)),
        model("stylegan", "gan", (G, I, T, E), (IMAGE, LATENT), (IMAGE, LATENT), space="w"),
        model("beta-vae", "vae", (G, I, E, D, S), (IMAGE, LATENT), (IMAGE, LATENT), space="z"),
        model("wavenet", "autoregressive", (G, S), (AUDIO,), (AUDIO,), exact=True),
        model("glow", "flow", (G, I, E, D, S), (IMAGE, LATENT), (IMAGE, LATENT), space="glow", exact=True),
        model("realnvp", "flow", (G, S), (TABLE,), (TABLE,), exact=True),
    )
}
GUIDE = load_guide(default_guide_path())


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (Wanted(G, output=TEXT), "llm"),
        (Wanted(G, output=IMAGE), "ddpm"),
        (Wanted(G, output=IMAGE, priority=Priority.QUALITY), "ddpm"),
        (Wanted(G, output=IMAGE, priority=Priority.SPEED), "stylegan"),
        (Wanted(G, output=IMAGE, priority=Priority.SMOOTH_INTERPOLATION), "beta-vae"),
        (Wanted(G, output=IMAGE, priority=Priority.EXACT_LIKELIHOOD), "glow"),
        (Wanted(G, output=IMAGE, priority=Priority.INTERPRETABLE_LATENT), "beta-vae"),
        (Wanted(G, output=AUDIO), "wavenet"),
        (Wanted(G, output=AUDIO, priority=Priority.SPEED), "bach"),
        (Wanted(G, output=MUSIC), "bach"),
        (Wanted(G, output=TABLE), "realnvp"),
        (Wanted(T, input=IMAGE, output=IMAGE), "stylegan"),
        (Wanted(T, input=TEXT, output=TEXT), "sentences"),
        (Wanted(I), "beta-vae"),
        (Wanted(E, input=TEXT), "sentences"),
        (Wanted(E, input=IMAGE), "beta-vae"),
        (Wanted(E, input=IMAGE, priority=Priority.EXACT_LIKELIHOOD), "glow"),
        (Wanted(D, latent_space="glow"), "glow"),
        (Wanted(D, latent_space="z"), "beta-vae"),
        (Wanted(S, input=TEXT), "llm"),
        (Wanted(S, input=IMAGE), "glow"),
        (Wanted(S, input=AUDIO), "wavenet"),
        (Wanted(G, output=IMAGE, exact_likelihood=True), "glow"),
        (Wanted(G, output=IMAGE, latent_space="w"), "stylegan"),
        (Wanted(G, output=LATENT), None),
        (Wanted(E, input=AUDIO), None),
        (Wanted(G, output=TEXT, latent_space="w"), None),
        (Wanted(G), "ddpm"),
        (Wanted(G, priority=Priority.SPEED), "stylegan"),
        (Wanted(G, family="gan"), "stylegan"),
        (Wanted(G, output=IMAGE, family="vae"), "beta-vae"),
        (Wanted(G, output=TABLE, family="flow"), "realnvp"),
        (Wanted(S, input=IMAGE, family="vae"), "beta-vae"),
        (Wanted(E, input=IMAGE, family="gan"), "stylegan"),
        (Wanted(G, output=IMAGE, family="autoregressive"), None),
        (Wanted(T, input=IMAGE, output=IMAGE, family="diffusion"), "ddpm"),
        (Wanted(I, input=IMAGE, encodes=True), "beta-vae"),
        (Wanted(I, latent_space="w"), "stylegan"),
    ],
)
def test_the_guide_chooses_as_its_rows_say(wanted, chosen):
    decision = decide(GUIDE, MODELS, wanted)
    assert (decision.choice.model if decision.choice else None) == chosen
    told = {c.model for c in decision.alternatives} | {r.model for r in decision.rejections}
    assert told | ({chosen} if chosen else set()) == set(MODELS), "every model is accounted for"
    assert all(rejection.explanation for rejection in decision.rejections)


def test_within_a_family_the_better_measured_model_goes_first():
    decision = decide(GUIDE, MODELS, Wanted(G, output=IMAGE))
    assert [c.model for c in (decision.choice, *decision.alternatives)][:2] == ["ddpm", "ddpm-small"]


def measured(name: str, **figures: float) -> ServedModel:
    """A language model with these measured figures."""
    told = tuple(Measurement(name=key, value=value, unit="", conditions="") for key, value in figures.items())
    served = model(name, "transformer", (G,), (TEXT,), (TEXT,))
    return replace(served, manifest=served.manifest.model_copy(update={"measurements": told}))


def ranking(models: list[ServedModel], priority: Priority | None = None) -> list[str]:
    decision = decide(GUIDE, {m.manifest.name: m for m in models}, Wanted(G, output=TEXT, priority=priority))
    return [candidate.model for candidate in (decision.choice, *decision.alternatives)]


def test_where_speed_matters_the_faster_model_of_a_family_goes_before_the_better_one():
    models = [measured("good", quality=0.9, latency=5.0), measured("fast", quality=0.5, latency=0.1)]
    assert ranking(models) == ["good", "fast"]
    assert ranking(models, Priority.SPEED) == ["fast", "good"]


def test_a_model_that_was_not_measured_never_goes_before_one_that_was():
    models = [measured("a-unmeasured"), measured("slow", latency=9.0), measured("fast", latency=1.0)]
    assert ranking(models) == ["fast", "slow", "a-unmeasured"]
    assert ranking(models, Priority.SPEED) == ["fast", "slow", "a-unmeasured"]


def test_of_equal_language_models_the_first_by_name_answers():
    assert ranking([measured("b"), measured("a")]) == ["a", "b"]


def test_a_named_model_is_honoured_or_refused_with_the_reason():
    assert decide(GUIDE, MODELS, Wanted(G, output=IMAGE, model="ddpm-small")).choice.model == "ddpm-small"
    refused = decide(GUIDE, MODELS, Wanted(S, model="stylegan"))
    assert refused.choice is None
    assert refused.rejections[0].reason is RejectionReason.TASK
    with pytest.raises(ModelNotFound, match="nonesuch"):
        decide(GUIDE, MODELS, Wanted(G, model="nonesuch"))


def knowing(name: str, *classes: str) -> ServedModel:
    """A GAN that knows these classes."""
    served = model(name, "gan", (G,), (), (IMAGE,))
    return replace(served, manifest=served.manifest.model_copy(update={"network": {"classes": list(classes)}}))


def test_a_class_is_looked_for_without_regard_to_case_where_no_model_is_named():
    clothes, digits = knowing("biggan", "Ankle boot", "bag"), knowing("a-digits", "7", "8")
    plain, empty = MODELS["ddpm"], knowing("a-plain")
    models = {served.manifest.name: served for served in (clothes, digits, plain, empty)}
    decision = decide(GUIDE, models, Wanted(G, output=IMAGE, class_label="ANKLE BOOT"))
    assert decision.choice.model == "biggan"
    assert {r.model: r.explanation for r in decision.rejections} == {
        "a-digits": "a-digits knows no class 'ANKLE BOOT'",
        "a-plain": "a-plain knows no classes",
        "ddpm": "ddpm knows no classes",
    }
    assert [(c.change, c.model) for c in decision.counterfactuals] == [("without class ANKLE BOOT", "ddpm")]
    assert decide(GUIDE, models, Wanted(G, class_label="bag")).choice.model == "biggan"
    assert decide(GUIDE, models, Wanted(G, output=IMAGE, class_label="submarine")).choice is None


def test_a_named_model_answers_for_its_classes_and_parameters_itself():
    for wanted in (Wanted(G, model="ddpm", class_label="bag"), Wanted(G, model="ddpm", family="gan")):
        assert decide(GUIDE, MODELS, wanted).choice.model == "ddpm"


def test_parameters_of_one_family_pass_over_the_others_and_say_so():
    decision = decide(GUIDE, MODELS, Wanted(G, output=IMAGE, family="gan"))
    assert (decision.choice.model, decision.alternatives) == ("stylegan", ())
    told = {r.model: r.explanation for r in decision.rejections}
    assert told["ddpm"] == "ddpm is a diffusion; the parameters are for a gan"


def test_an_operators_own_family_may_read_the_parameters_of_another():
    own = model("own", "probe", (G,), (TEXT,), (TEXT,))
    row = GUIDE.rows[0].model_copy(update={"families": ("probe",)})
    assert decide(Guide((row,)), {"own": own}, Wanted(G, output=TEXT, family="transformer")).choice.model == "own"


def test_a_bare_array_goes_to_a_named_model_as_whatever_that_takes_and_to_no_other():
    assert decide(GUIDE, MODELS, Wanted(E, input=Modality.TENSOR, model="beta-vae")).choice.model == "beta-vae"
    assert decide(GUIDE, MODELS, Wanted(E, input=Modality.TENSOR)).choice is None


def test_dropping_a_requirement_is_offered_where_it_changes_the_choice():
    decision = decide(GUIDE, MODELS, Wanted(G, output=IMAGE, exact_likelihood=True))
    assert [(c.change, c.model) for c in decision.counterfactuals] == [("without exact likelihood", "ddpm")]
    assert decide(GUIDE, MODELS, Wanted(G, output=TEXT, exact_likelihood=True)).counterfactuals == ()


def test_a_decision_depends_on_its_inputs_alone():
    shuffled = dict(reversed(MODELS.items()))
    for wanted in (Wanted(G, output=IMAGE), Wanted(S, input=IMAGE), Wanted(I)):
        assert decide(GUIDE, MODELS, wanted) == decide(GUIDE, shuffled, wanted)


def test_a_model_without_determinism_is_left_out_where_it_is_wanted():
    manifest = MODELS["llm"].manifest.model_copy(update={"deterministic": False})
    models = {"llm": replace(MODELS["llm"], manifest=manifest)}
    decision = decide(GUIDE, models, Wanted(G, output=TEXT, deterministic=True))
    assert decision.choice is None
    assert decision.rejections[0].reason is RejectionReason.GUARANTEE
    assert decision.counterfactuals[0].model == "llm"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("rows:\n  - name: a\n    task: dance\n    families: [gan]\n    reason: x\n", ":3: task"),
        ("rows:\n  - name: a\n    task: score\n    families: []\n    reason: x\n", ":4: families"),
        ("rows:\n  - name: a\n    task: score\n    families: [gan]\n", ":2: reason"),
        ("rows:\n  - {name: a, task: score, families: [gan], reason: x, colour: red}\n", ":2: colour"),
        (
            "rows:\n  - {name: a, task: score, families: [gan], reason: x}\n"
            "  - {name: a, task: score, families: [gan], reason: x}\n",
            ":3: name: 'a' is taken",
        ),
        ("rows: []\n", ":1: the guide is a mapping"),
        ("- x\n", ":1: the guide is a mapping"),
        ("rows:\n  - name: [\n", ":3:"),
        ("rows:\n  - 3\n", ":2: row"),
        ("rows:\n  - !!python/object/apply:os.system [ls]\n", ":2: could not determine a constructor"),
        ("rows:\n  - {[a]: b}\n", ":2: found unhashable key"),
        ("rows:\n  - {name: a, task: score, families: [gan], reason: x}\nrow: []\n", ":3: row: the guide knows only"),
        (
            "rows:\n  - name: a\n    task: score\n    task: encode\n    families: [gan]\n    reason: x\n",
            ":4: task: is given twice",
        ),
        ("rows: \x00\n", ":1: not UTF-8 text"),
    ],
)
def test_a_mistake_in_the_guide_is_told_with_its_line(tmp_path, text, complaint):
    path = tmp_path / "guide.yaml"
    path.write_text(text)
    with pytest.raises(GuideError) as refused:
        load_guide(path)
    assert complaint in str(refused.value)


def test_a_guide_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "guide.yaml"
    path.write_bytes(b"rows: \xff\xfe")
    with pytest.raises(GuideError, match="not UTF-8 text"):
        load_guide(path)


def test_a_guide_that_is_missing_is_told_by_its_path(tmp_path):
    with pytest.raises(GuideError, match=r"nowhere\.yaml"):
        load_guide(tmp_path / "nowhere.yaml")
