from sextant.contract.v1 import media_pb2 as _media_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Family(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAMILY_UNSPECIFIED: _ClassVar[Family]
    FAMILY_TRANSFORMER: _ClassVar[Family]
    FAMILY_GAN: _ClassVar[Family]
    FAMILY_VAE: _ClassVar[Family]
    FAMILY_DIFFUSION: _ClassVar[Family]
    FAMILY_AUTOREGRESSIVE: _ClassVar[Family]
    FAMILY_FLOW: _ClassVar[Family]
    FAMILY_HYBRID: _ClassVar[Family]

class TaskKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_KIND_UNSPECIFIED: _ClassVar[TaskKind]
    TASK_KIND_GENERATE: _ClassVar[TaskKind]
    TASK_KIND_TRANSFORM: _ClassVar[TaskKind]
    TASK_KIND_INTERPOLATE: _ClassVar[TaskKind]
    TASK_KIND_ENCODE: _ClassVar[TaskKind]
    TASK_KIND_DECODE: _ClassVar[TaskKind]
    TASK_KIND_SCORE: _ClassVar[TaskKind]

class Estimator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ESTIMATOR_UNSPECIFIED: _ClassVar[Estimator]
    ESTIMATOR_EXACT: _ClassVar[Estimator]
    ESTIMATOR_LOWER_BOUND: _ClassVar[Estimator]
    ESTIMATOR_ESTIMATE: _ClassVar[Estimator]
FAMILY_UNSPECIFIED: Family
FAMILY_TRANSFORMER: Family
FAMILY_GAN: Family
FAMILY_VAE: Family
FAMILY_DIFFUSION: Family
FAMILY_AUTOREGRESSIVE: Family
FAMILY_FLOW: Family
FAMILY_HYBRID: Family
TASK_KIND_UNSPECIFIED: TaskKind
TASK_KIND_GENERATE: TaskKind
TASK_KIND_TRANSFORM: TaskKind
TASK_KIND_INTERPOLATE: TaskKind
TASK_KIND_ENCODE: TaskKind
TASK_KIND_DECODE: TaskKind
TASK_KIND_SCORE: TaskKind
ESTIMATOR_UNSPECIFIED: Estimator
ESTIMATOR_EXACT: Estimator
ESTIMATOR_LOWER_BOUND: Estimator
ESTIMATOR_ESTIMATE: Estimator

class LatentSpace(_message.Message):
    __slots__ = ("id", "shape")
    ID_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    id: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, id: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ...) -> None: ...

class Parity(_message.Message):
    __slots__ = ("max_abs_error", "max_rel_error", "tolerance", "reference")
    MAX_ABS_ERROR_FIELD_NUMBER: _ClassVar[int]
    MAX_REL_ERROR_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    max_abs_error: float
    max_rel_error: float
    tolerance: float
    reference: str
    def __init__(self, max_abs_error: _Optional[float] = ..., max_rel_error: _Optional[float] = ..., tolerance: _Optional[float] = ..., reference: _Optional[str] = ...) -> None: ...

class Measurement(_message.Message):
    __slots__ = ("name", "value", "unit", "conditions")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    unit: str
    conditions: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ..., unit: _Optional[str] = ..., conditions: _Optional[str] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "version", "family", "architecture", "description", "tasks", "inputs", "outputs", "latent_spaces", "score_estimator", "deterministic", "license", "provenance", "digest", "size_bytes", "parity", "measurements", "context_tokens", "providers")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    LATENT_SPACES_FIELD_NUMBER: _ClassVar[int]
    SCORE_ESTIMATOR_FIELD_NUMBER: _ClassVar[int]
    DETERMINISTIC_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PARITY_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENTS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    family: Family
    architecture: str
    description: str
    tasks: _containers.RepeatedScalarFieldContainer[TaskKind]
    inputs: _containers.RepeatedScalarFieldContainer[_media_pb2.Modality]
    outputs: _containers.RepeatedScalarFieldContainer[_media_pb2.Modality]
    latent_spaces: _containers.RepeatedCompositeFieldContainer[LatentSpace]
    score_estimator: Estimator
    deterministic: bool
    license: str
    provenance: str
    digest: str
    size_bytes: int
    parity: Parity
    measurements: _containers.RepeatedCompositeFieldContainer[Measurement]
    context_tokens: int
    providers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., family: _Optional[_Union[Family, str]] = ..., architecture: _Optional[str] = ..., description: _Optional[str] = ..., tasks: _Optional[_Iterable[_Union[TaskKind, str]]] = ..., inputs: _Optional[_Iterable[_Union[_media_pb2.Modality, str]]] = ..., outputs: _Optional[_Iterable[_Union[_media_pb2.Modality, str]]] = ..., latent_spaces: _Optional[_Iterable[_Union[LatentSpace, _Mapping]]] = ..., score_estimator: _Optional[_Union[Estimator, str]] = ..., deterministic: _Optional[bool] = ..., license: _Optional[str] = ..., provenance: _Optional[str] = ..., digest: _Optional[str] = ..., size_bytes: _Optional[int] = ..., parity: _Optional[_Union[Parity, _Mapping]] = ..., measurements: _Optional[_Iterable[_Union[Measurement, _Mapping]]] = ..., context_tokens: _Optional[int] = ..., providers: _Optional[_Iterable[str]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ("family", "task")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    family: Family
    task: TaskKind
    def __init__(self, family: _Optional[_Union[Family, str]] = ..., task: _Optional[_Union[TaskKind, str]] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...
