"""Hybrids beside the models that are served: which of them can be served too, and why the others cannot."""

from collections.abc import Mapping
from dataclasses import dataclass

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import Bundle, BundleStore
from sextant.contract.errors import BundleRefused
from sextant.hybrids.graph import read_graphs
from sextant.hybrids.hybrid import Hybrid, build_hybrid, models_of


@dataclass(frozen=True, slots=True)
class Waiting:
    """A hybrid some of whose stages' models are not there."""

    missing: tuple[str, ...]


class HybridBundles:
    """The bundles of hybrids that a process is to serve, each fitted to the models at hand once.

    `refused` are those whose bundles cannot be used whatever is served, with the reason.
    """

    def __init__(self, store: BundleStore, names: tuple[str, ...]) -> None:
        self.bundles: dict[str, Bundle] = {}
        self.models: dict[str, tuple[str, ...]] = {}
        self.refused: dict[str, str] = {}
        self._fitted: dict[str, tuple[tuple[Manifest, ...], Hybrid | BundleRefused]] = {}
        for name in names:
            try:
                bundle = store.open(name)
                self.models[name] = models_of(read_graphs(bundle.manifest).values())
                self.bundles[name] = bundle
            except BundleRefused as refusal:
                self.refused[name] = refusal.reason

    def fit(self, name: str, manifests: Mapping[str, Manifest]) -> Hybrid | Waiting | BundleRefused:
        """The hybrid over these models. Cheap where the manifests are the objects that they were the last time."""
        wanted = self.models[name]
        missing = tuple(model for model in wanted if model not in manifests)
        if missing:
            return Waiting(missing)
        found = tuple(manifests[model] for model in wanted)
        known = self._fitted.get(name)
        if known is None or any(before is not now for before, now in zip(known[0], found, strict=True)):
            known = self._fitted[name] = found, _fitted(self.bundles[name].manifest, manifests)
        return known[1]


def _fitted(manifest: Manifest, manifests: Mapping[str, Manifest]) -> Hybrid | BundleRefused:
    try:
        return build_hybrid(manifest, manifests)
    except BundleRefused as refusal:
        return refusal
