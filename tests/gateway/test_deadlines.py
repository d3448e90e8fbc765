"""Tiers, deadlines and load in the router: pure decisions on made-up models with made-up measurements."""

import random
from dataclasses import replace

import pytest

from sextant.bundles.manifest import Measurement
from sextant.contract.options import Priority
from sextant.contract.tasks import DiffusionSampler, Task, TaskKind
from sextant.gateway.desk import in_its_tier, lots_of
from sextant.gateway.guide.decision import RejectionReason, Wanted
from sextant.gateway.guide.facts import facts_of
from sextant.gateway.guide.live import Live, Observation, observed
from sextant.gateway.guide.router import decide
from sextant.gateway.guide.schema import Trial
from sextant.replicas.served import ServedModel
from tests.gateway.test_guide import GUIDE, IMAGE, TEXT, G, S, model

PICTURE = Wanted(G, output=IMAGE)
WAYS = {"dpm-solver++2m/5": (0.80, 0.010), "dpm-solver++2m/10": (0.90, 0.020), "dpm-solver++2m/20": (0.95, 0.040)}


def measured(served: ServedModel, *, defaults=None, **figures: float) -> ServedModel:
    told = tuple(Measurement(name=key, value=value, unit="", conditions="") for key, value in figures.items())
    update = {"measurements": told, "defaults": defaults or {}}
    return replace(served, manifest=served.manifest.model_copy(update=update))


def tiered(name: str = "diffusion") -> ServedModel:
    figures = {"quality": 0.95, "latency": 0.040}
    for way, (quality, latency_s) in WAYS.items():
        figures |= {f"{way}/quality": quality, f"{way}/latency": latency_s}
    defaults = {"sampler": "dpm-solver++2m", "steps": 20}
    return measured(model(name, "diffusion", (G, S), (IMAGE,), (IMAGE,)), defaults=defaults, **figures)


GAN = measured(model("gan", "gan", (G,), (), (IMAGE,)), quality=0.85, latency=0.001)
VAE = measured(model("vae", "vae", (G,), (), (IMAGE,)), quality=0.70, latency=0.001)
MODELS = {served.manifest.name: served for served in (tiered(), GAN, VAE)}


def at(deadline_s: float | None, live: Live = Live(), **changes):  # noqa: B008 - frozen
    return decide(GUIDE, MODELS, replace(PICTURE, deadline_s=deadline_s, **changes), live)


def seen(name: str, seconds: float, *, others: int = 0, times: int = 40, live: Live = Live(), tier=None):  # noqa: B008
    """What is known after `times` requests that took `seconds` each."""
    facts = facts_of(MODELS[name].manifest)
    tier = facts.usual if tier is None else next(t for t in facts.tiers if t.name == tier)
    for _ in range(times):
        one = Observation(name, G, tier, tier.steps, 1, others, 0.001, seconds, timed=True)
        live = observed(live, one, 0.0)
    return live


def test_without_a_deadline_the_row_decides_and_nothing_is_set():
    choice = at(None).choice
    assert (choice.model, choice.tier.name, choice.sets_way) == ("diffusion", "dpm-solver++2m/20", False)


def test_the_more_time_there_is_the_better_is_the_tier_that_is_chosen():
    deadlines = [0.0001 * 1.2**n for n in range(60)]
    qualities = [at(deadline).choice.quality for deadline in deadlines]
    in_time = [q for d, q in zip(deadlines, qualities, strict=True) if d > 0.002]
    assert in_time == sorted(in_time)
    assert set(in_time) == {0.85, 0.90, 0.95}, "the quickest tier of diffusion is worse than the GAN"
    tight = at(0.035)
    assert (tight.choice.tier.name, tight.choice.sets_way) == ("dpm-solver++2m/10", True)


def test_what_is_late_is_told_with_its_time_and_what_more_time_would_buy():
    decision = at(0.035)
    late = {(r.model, r.tier): r for r in decision.rejections if r.reason is RejectionReason.DEADLINE}
    assert set(late) == {("diffusion", "dpm-solver++2m/20")}
    assert "35 ms" in late["diffusion", "dpm-solver++2m/20"].explanation
    (more,) = [c for c in decision.counterfactuals if "more" in c.change]
    assert (more.tier, more.quality) == ("dpm-solver++2m/20", 0.95)
    extra_s = float(more.change.split()[1]) / 1000
    assert at(0.035 + extra_s).choice.tier.name == "dpm-solver++2m/20", "what is promised is kept"
    assert at(0.035 + extra_s - 0.002).choice.tier.name == "dpm-solver++2m/10", "and no more is asked than is needed"


def test_where_nothing_is_in_time_the_first_to_be_done_is_tried():
    decision = at(1e-6)
    assert decision.choice.model in ("gan", "vae")
    assert "nothing is expected within" in decision.explanation


def test_who_is_in_a_hurry_stays_with_the_rows_order_as_long_as_it_is_in_time():
    assert at(10.0, priority=Priority.SPEED).choice.model == "gan"
    slow_gan = seen("gan", 0.5)
    assert at(0.1, slow_gan, priority=Priority.SPEED).choice.model == "vae"
    assert at(10.0, slow_gan, priority=Priority.SPEED).choice.model == "gan"


def test_load_on_the_preferred_family_moves_who_is_in_a_hurry_to_the_next_before_anything_is_late():
    hurry = {"priority": Priority.SPEED, "deadline_s": 0.02}
    assert at(live=Live(), **hurry).choice.model == "gan"
    crowded = Live(in_flight={"gan": 64})
    decision = at(live=crowded, **hurry)
    assert decision.choice.model == "vae"
    assert any(r.model == "gan" and r.reason is RejectionReason.DEADLINE for r in decision.rejections)


def test_a_slow_deployment_is_learnt_and_forgotten_again():
    fast, slow = at(0.1), at(0.1, seen("diffusion", 0.4, tier="dpm-solver++2m/20"))
    assert fast.choice.tier.name == "dpm-solver++2m/20"
    assert slow.choice.tier.name != "dpm-solver++2m/20"
    later = replace(seen("diffusion", 0.4, tier="dpm-solver++2m/20"), now_s=7200.0)
    assert at(0.1, later).choice.tier.name == "dpm-solver++2m/20"


def test_what_is_learnt_of_one_size_is_not_taken_for_another():
    live = seen("gan", 0.5, others=0)
    many = decide(GUIDE, MODELS, replace(PICTURE, priority=Priority.SPEED, deadline_s=0.3, count=16), live)
    one = decide(GUIDE, MODELS, replace(PICTURE, priority=Priority.SPEED, deadline_s=0.3), live)
    assert one.choice.model == "vae"
    assert {c.model for c in (many.choice, *many.alternatives)} >= {"vae"}


def test_steps_and_sampler_that_are_asked_for_stand_whatever_the_deadline():
    for steps in (5, 7, 500):
        choice = at(0.03, family="diffusion", steps=steps).choice
        assert (choice.model, choice.tier.steps) == ("diffusion", steps)
    assert at(0.03, family="diffusion", sampler=DiffusionSampler.DDIM).choice.tier.sampler is DiffusionSampler.DDIM
    guided = at(0.035, family="diffusion").choice
    (task,) = in_its_tier((Task(TaskKind.GENERATE, 0),), guided)
    assert (task.parameters.sampler, task.parameters.steps) == (DiffusionSampler.DPM_SOLVER_PP_2M, 10)


def test_who_wants_the_same_bytes_every_time_gets_the_usual_tier_however_little_time_there_is():
    for named in ("diffusion", ""):
        choice = at(1e-6, seen("diffusion", 5.0), deterministic=True, model=named).choice
        assert (choice.model, choice.tier.name, choice.sets_way) == ("diffusion", "dpm-solver++2m/20", False)
    hurried = {"deterministic": True, "priority": Priority.SPEED}
    assert at(0.01, seen("gan", 5.0), **hurried) == at(None, **hurried)


def test_a_model_that_is_named_keeps_its_deadline_by_a_lesser_tier():
    assert at(0.03, model="diffusion").choice.tier.name == "dpm-solver++2m/10"
    assert at(1e-6, model="diffusion").choice.tier.name == "dpm-solver++2m/5"


def test_a_task_that_nobody_timed_is_not_refused_for_its_deadline():
    decision = decide(GUIDE, MODELS, Wanted(S, input=IMAGE, deadline_s=1e-6))
    assert decision.choice.model == "diffusion"
    assert decision.choice.latency_s is None


def trial(row: str, **fields):
    rows = tuple(r.model_copy(update=fields) if r.name == row else r for r in GUIDE.rows)
    return replace(GUIDE, rows=rows)


def test_a_canary_gets_its_share_by_the_seed_and_the_same_seed_always_the_same():
    guide = trial("image-quality", canary=Trial(model="vae", share=0.2))
    rng = random.Random(0)
    seeds = [rng.getrandbits(64) for _ in range(4000)]

    def chosen(seed: int) -> str:
        return decide(guide, MODELS, replace(PICTURE, lots=lots_of(seed))).choice.model

    models = [chosen(seed) for seed in seeds]
    assert models.count("vae") / len(models) == pytest.approx(0.2, abs=0.03)
    assert set(models) == {"vae", "diffusion"}
    assert models == [chosen(seed) for seed in seeds]
    decision = decide(guide, MODELS, replace(PICTURE, lots=(0.0, 0.0)))
    assert decision.canary
    assert "canary" in decision.explanation


def test_a_canary_that_cannot_or_would_be_late_is_passed_over():
    slow = trial("image-quality", canary=Trial(model="diffusion", share=1.0))
    wanted = replace(PICTURE, lots=(0.0, 0.0))
    for guide, asked in (
        (trial("image-quality", canary=Trial(model="nobody", share=1.0)), wanted),
        (trial("image-quality", canary=Trial(model="gan", share=1.0)), replace(wanted, exact_likelihood=True)),
        (slow, replace(wanted, deadline_s=0.005)),
    ):
        assert not decide(guide, MODELS, asked).canary
    assert not decide(slow, MODELS, replace(wanted, lots=None)).canary


def test_a_shadow_is_named_for_its_share_and_never_chosen():
    guide = trial("image-quality", shadow=Trial(model="gan", share=0.5))
    assert decide(guide, MODELS, replace(PICTURE, lots=(0.9, 0.4))).shadow == "gan"
    assert decide(guide, MODELS, replace(PICTURE, lots=(0.9, 0.6))).shadow == ""
    assert decide(guide, MODELS, replace(PICTURE, lots=(0.9, 0.4))).choice.model == "diffusion"


def test_text_that_may_be_longer_is_expected_to_take_longer():
    llm = measured(model("llm", "transformer", (G,), (TEXT,), (TEXT,)))
    live = Live()
    tier = facts_of(llm.manifest).usual
    for steps, seconds in ((16, 0.2), (256, 2.0)):
        one = Observation("llm", G, replace(tier, steps=steps), steps, 1, 0, 0.001, seconds, timed=True)
        live = observed(live, one, 0.0)
    expected = [
        decide(GUIDE, {"llm": llm}, Wanted(G, output=TEXT, steps=steps), live).choice.latency_s for steps in (16, 256)
    ]
    assert expected == [pytest.approx(0.201), pytest.approx(2.001)]
