"""docs/zoo.md, written from the manifests of the bundles: no figure in it is typed by hand."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import open_bundle

_HEAD = """# The models that ship

Written by `sextant zoo document` from the bundles' own manifests, which `sextant zoo evaluate` filled: do not edit.
How the models are made and judged is in [training.md](training.md), what they are good for in [models.md](models.md).
"""

# Tables of models that share measures: title, measures by column heading, and what to say of them.
_TABLES: tuple[tuple[str, Mapping[str, str], str], ...] = (
    (
        "Pictures",
        {
            "quality": "quality",
            "against full covariance": "quality_full_covariance",
            "Fréchet distance": "frechet_distance",
            "precision": "precision",
            "recall": "recall",
            "coverage": "coverage",
            "class accuracy": "conditional_accuracy",
            "one picture, ms": "latency",
        },
        "Quality is 1 for real pictures and 0 for Gaussians fitted to every pixel of every class; the second column "
        "puts 0 at Gaussians with full covariance, a far harder yardstick, below which blurred pictures fall.",
    ),
    (
        "Likelihoods of pictures",
        {
            "bits/dim, exact": "bits_per_dimension",
            "ELBO": "elbo_bits_per_dimension",
            "IWAE-64": "iwae_64_bits_per_dimension",
            "IWAE-1000": "iwae_1000_bits_per_dimension",
            "smallest PNG": "png_bits_per_dimension",
            "PNG, pixels alone": "png_pixel_bits_per_dimension",
        },
        "Test pictures of Fashion-MNIST. The ELBO and IWAE columns are upper bounds of the bits; lower is better.",
    ),
    (
        "Codes",
        {
            "MIG": "mig",
            "DCI disentanglement": "dci_disentanglement",
            "completeness": "dci_completeness",
            "informativeness": "dci_informativeness",
            "reconstruction SSIM": "reconstruction_ssim",
            "PSNR, dB": "reconstruction_psnr",
            "round trip": "round_trip_error",
        },
        "Round trip is the largest difference after going there and back, where the data's range is 1.",
    ),
    (
        "Quality by steps",
        {
            "DPM-Solver++ 5": "dpm-solver++2m/5/quality",
            "10": "dpm-solver++2m/10/quality",
            "20": "dpm-solver++2m/20/quality",
            "DDIM 100": "ddim/100/quality",
            "class accuracy at 20": "dpm-solver++2m/20/conditional_accuracy",
            "at 100": "ddim/100/conditional_accuracy",
        },
        "Normalised quality of the same seeds by sampler and number of steps, with the usual guidance.",
    ),
    (
        "Faces from words",
        {
            "attributes right": "attribute_accuracy",
            "one of eight": "single_attribute_accuracy",
            "captions shuffled": "shuffled_attribute_accuracy",
            "kept in variations": "variation_attribute_accuracy",
            "whole caption right": "whole_caption_accuracy",
            "one of eight, whole": "single_whole_caption_accuracy",
            "shuffled, whole": "shuffled_whole_caption_accuracy",
            "hair length": "length_accuracy",
            "hair colour": "hair_accuracy",
            "clothes": "clothes_accuracy",
            "background": "background_accuracy",
            "mood": "mood_accuracy",
            "glasses": "glasses_accuracy",
            "beard": "beard_accuracy",
            "judge": "captions_judge_accuracy",
            "one picture, ms": "latency",
        },
        "What a classifier of rendered faces sees in pictures made of captions, whose combinations of hair and clothes "
        "no training saw. Beside it any one of the eight that a ranked answer is the best of, the same pictures "
        "against each other's captions, and the classifier itself on rendered faces.",
    ),
    (
        "Pictures and words in one space",
        {
            "caption to picture": "text_to_image_recall_at_1",
            "picture to caption": "image_to_text_recall_at_1",
            "caption to picture, unseen": "unseen_text_to_image_recall_at_1",
            "picture to caption, unseen": "unseen_image_to_text_recall_at_1",
        },
        "Recall@1 among 100 held-out pairs: whose own counterpart is the nearest. In the last two columns the pairs "
        "are of combinations that no training saw: four pairs of colours, so that many captions say nearly the same.",
    ),
    (
        "Completion of pictures",
        {
            "attributes kept": "completed_attribute_accuracy",
            "kept half, SSIM": "completed_kept_ssim",
            "Fréchet distance": "completed_frechet_distance",
        },
        "Faces whose lower half was made anew, by what their upper half still says.",
    ),
    (
        "Music",
        {
            "pitch classes": "pitch_class_distance",
            "melodic intervals": "melodic_interval_distance",
            "harmonic intervals": "harmonic_interval_distance",
            "mean": "music_distance",
            "mean, Markov chain of each voice": "markov_music_distance",
            "mean, Markov chain of chords": "chord_markov_music_distance",
            "mean, the training's own": "training_music_distance",
        },
        "Total variation from held-out chorales, 0 to 1; lower is better. What is made, and baselines.",
    ),
    (
        "Speech",
        {
            "recognised": "recognised",
            "by a judge of": "judge_accuracy",
            "bits a sample, exact": "bits_per_sample",
            "silent": "silent",
            "real time": "real_time_factor",
        },
        "Digits made, told by a classifier of real ones; seconds of sound made in one.",
    ),
    (
        "Pronunciation",
        {
            "phoneme error rate": "phoneme_error_rate",
            "4 beams": "beam_phoneme_error_rate",
            "spelling rules": "rule_phoneme_error_rate",
            "words right": "word_accuracy",
            "words right, 4 beams": "beam_word_accuracy",
            "words right, rules": "rule_word_accuracy",
        },
        "5,000 held-out words, stress marks counted, beside a letter-to-sound baseline that never saw the lexicon.",
    ),
    (
        "Densities of tables",
        {
            "nats a row": "log_likelihood",
            "Gaussian": "gaussian_log_likelihood",
            "mixture of 10": "mixture_10_log_likelihood",
            "integral": "density_integral",
            "anomalies, AUROC": "anomaly_auroc",
        },
        "Mean log-likelihood of held-out rows, beside two baselines on the same rows; higher is better.",
    ),
)
_SHOWN_IN_MS = "latency"


def write_document(bundles: Path, samples: Path, path: Path) -> None:
    """Writes `path` from the bundles in the directory `bundles`; sheets are looked for in `samples`, beside it."""
    manifests = [open_bundle(found.parent).manifest for found in sorted(bundles.glob("*/model.toml"))]
    parts = [_HEAD, _overview(manifests)]
    parts += [_table(manifests, title, columns, about) for title, columns, about in _TABLES]
    parts.append(_translations(manifests))
    parts += [_model(manifest, samples / f"{manifest.name}.png", path.parent) for manifest in manifests]
    path.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def _overview(manifests: Sequence[Manifest]) -> str:
    rows = []
    for manifest in manifests:
        size = sum(file.bytes for file in manifest.files.values()) / 1e6
        parity = f"{manifest.parity.max_rel_error:.1e}" if manifest.parity else "none"
        rows.append((f"[{manifest.name}](#{manifest.name})", manifest.architecture, f"{size:.1f}", parity))
    return "## All of them\n\n" + _markdown(("model", "kind", "MB", "parity with torch, relative"), rows)


def _table(manifests: Sequence[Manifest], title: str, columns: Mapping[str, str], about: str) -> str:
    rows = []
    for manifest in manifests:
        measured = {m.name: m.value for m in manifest.measurements}
        cells = [_cell(name, measured.get(name)) for name in columns.values()]
        if any(measured.get(name) is not None for name in columns.values() if name != _SHOWN_IN_MS):
            rows.append((manifest.name, *cells))
    # A column that no model has a figure for is left out.
    kept = [index for index in range(len(columns) + 1) if any(row[index] for row in rows)]
    heads = ("model", *columns)
    chosen = [tuple(row[index] for index in kept) for row in rows]
    return f"## {title}\n\n{about}\n\n" + _markdown([heads[index] for index in kept], chosen) if rows else ""


def _translations(manifests: Sequence[Manifest]) -> str:
    rows = []
    for manifest in manifests:
        measured = {m.name: m.value for m in manifest.measurements}
        for direction in manifest.network.get("directions", ()):
            for which in ("untranslated", "translated"):
                found = [
                    measured.get(f"{direction}/{which}_{name}")
                    for name in ("ssim", "squared_error", "feature_distance")
                ]
                if None not in found:
                    rows.append((manifest.name, direction, which, *(f"{value:.4f}" for value in found)))
    about = (
        "Held-out emoji against their true counterparts, which training never paired: what was given, and what was "
        "made of it. Feature distance is relative to that of other emoji; SSIM is better high, the others low."
    )
    heads = ("model", "direction", "which", "SSIM", "squared error", "feature distance")
    return f"## Translation\n\n{about}\n\n" + _markdown(heads, rows) if rows else ""


def _model(manifest: Manifest, sheet: Path, beside: Path) -> str:
    parts = [f"## {manifest.name}\n\n{manifest.description} {manifest.provenance}\n"]
    if sheet.exists():
        parts.append(f"![What {manifest.name} makes]({sheet.relative_to(beside)})\n")
    rows = [(m.name, f"{m.value:.4g}", m.unit, m.conditions) for m in manifest.measurements]
    if rows:
        parts.append(_markdown(("measure", "value", "unit", "measured on"), rows))
    return "\n".join(parts)


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{1000 * value:.2f}" if name == _SHOWN_IN_MS else f"{value:.3g}" if abs(value) < 1e-3 else f"{value:.3f}"


def _markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"
