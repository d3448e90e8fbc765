"""What a replica says of the models that it serves, and of those that it must not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sextant.bundles.manifest import Manifest
from sextant.contract.tasks import TaskKind
from sextant.hybrids.hybrid import Hybrid


@dataclass(frozen=True, slots=True)
class ServedStage:
    """A stage of a hybrid by its name in the graph of a task, and the model that runs it."""

    task: TaskKind
    stage: str
    model: str
    family: str
    version: str
    digest: str
    provider: str
    onnxruntime_version: str


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that is loaded and warm. `providers` are ONNX Runtime's names, the one in use first.

    `stages` are a hybrid's.
    """

    manifest: Manifest
    digest: str
    size_bytes: int
    providers: tuple[str, ...]
    onnxruntime_version: str
    stages: tuple[ServedStage, ...] = ()
    numpy_version: str = ""
    processor: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a replica offers: its warm models, and why each refused bundle is not among them; both by name."""

    models: Mapping[str, ServedModel]
    refused: Mapping[str, str] = field(default_factory=dict)


def hybrid_of(hybrid: Hybrid, digest: str, models: Mapping[str, ServedModel]) -> ServedModel:
    """What is told of a hybrid whose stages' models are among `models`: it is as large as they are together."""
    served = {name: models[name] for name in hybrid.models}
    first = next(iter(served.values()))
    return ServedModel(
        manifest=hybrid.manifest,
        digest=digest,
        size_bytes=sum(model.size_bytes for model in served.values()),
        providers=tuple(dict.fromkeys(provider for model in served.values() for provider in model.providers)),
        onnxruntime_version=first.onnxruntime_version,
        stages=tuple(
            _stage(kind, name, served[stage.model])
            for kind, plan in hybrid.plans.items()
            for name, stage in plan.graph.stages.items()
        ),
        numpy_version=first.numpy_version,
        processor=first.processor,
    )


def _stage(task: TaskKind, name: str, served: ServedModel) -> ServedStage:
    manifest = served.manifest
    return ServedStage(
        task=task,
        stage=name,
        model=manifest.name,
        family=manifest.family,
        version=manifest.version,
        digest=served.digest,
        provider=served.providers[0] if served.providers else "",
        onnxruntime_version=served.onnxruntime_version,
    )
