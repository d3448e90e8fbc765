from sextant.contract.v1 import media_pb2 as _media_pb2
from sextant.contract.v1 import models_pb2 as _models_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_QUALITY: _ClassVar[Priority]
    PRIORITY_SPEED: _ClassVar[Priority]
    PRIORITY_SMOOTH_INTERPOLATION: _ClassVar[Priority]
    PRIORITY_EXACT_LIKELIHOOD: _ClassVar[Priority]
    PRIORITY_INTERPRETABLE_LATENT: _ClassVar[Priority]

class RejectionReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REJECTION_REASON_UNSPECIFIED: _ClassVar[RejectionReason]
    REJECTION_REASON_TASK: _ClassVar[RejectionReason]
    REJECTION_REASON_MODALITY: _ClassVar[RejectionReason]
    REJECTION_REASON_GUARANTEE: _ClassVar[RejectionReason]
    REJECTION_REASON_DEADLINE: _ClassVar[RejectionReason]
    REJECTION_REASON_UNAVAILABLE: _ClassVar[RejectionReason]
    REJECTION_REASON_GUIDE: _ClassVar[RejectionReason]
PRIORITY_UNSPECIFIED: Priority
PRIORITY_QUALITY: Priority
PRIORITY_SPEED: Priority
PRIORITY_SMOOTH_INTERPOLATION: Priority
PRIORITY_EXACT_LIKELIHOOD: Priority
PRIORITY_INTERPRETABLE_LATENT: Priority
REJECTION_REASON_UNSPECIFIED: RejectionReason
REJECTION_REASON_TASK: RejectionReason
REJECTION_REASON_MODALITY: RejectionReason
REJECTION_REASON_GUARANTEE: RejectionReason
REJECTION_REASON_DEADLINE: RejectionReason
REJECTION_REASON_UNAVAILABLE: RejectionReason
REJECTION_REASON_GUIDE: RejectionReason

class Guarantees(_message.Message):
    __slots__ = ("exact_likelihood", "deterministic", "latent_space")
    EXACT_LIKELIHOOD_FIELD_NUMBER: _ClassVar[int]
    DETERMINISTIC_FIELD_NUMBER: _ClassVar[int]
    LATENT_SPACE_FIELD_NUMBER: _ClassVar[int]
    exact_likelihood: bool
    deterministic: bool
    latent_space: str
    def __init__(self, exact_likelihood: _Optional[bool] = ..., deterministic: _Optional[bool] = ..., latent_space: _Optional[str] = ...) -> None: ...

class DecideRequest(_message.Message):
    __slots__ = ("task", "input", "output", "priority", "guarantees", "deadline_s", "model", "intent", "count", "class_label")
    TASK_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    GUARANTEES_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CLASS_LABEL_FIELD_NUMBER: _ClassVar[int]
    task: _models_pb2.TaskKind
    input: _media_pb2.Modality
    output: _media_pb2.Modality
    priority: Priority
    guarantees: Guarantees
    deadline_s: float
    model: str
    intent: str
    count: int
    class_label: str
    def __init__(self, task: _Optional[_Union[_models_pb2.TaskKind, str]] = ..., input: _Optional[_Union[_media_pb2.Modality, str]] = ..., output: _Optional[_Union[_media_pb2.Modality, str]] = ..., priority: _Optional[_Union[Priority, str]] = ..., guarantees: _Optional[_Union[Guarantees, _Mapping]] = ..., deadline_s: _Optional[float] = ..., model: _Optional[str] = ..., intent: _Optional[str] = ..., count: _Optional[int] = ..., class_label: _Optional[str] = ...) -> None: ...

class DecideResponse(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    def __init__(self, decision: _Optional[_Union[Decision, _Mapping]] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ("name", "line", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    line: int
    reason: str
    def __init__(self, name: _Optional[str] = ..., line: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("model", "family", "version", "predicted_latency_s", "quality", "tier")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_LATENCY_S_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    model: str
    family: _models_pb2.Family
    version: str
    predicted_latency_s: float
    quality: float
    tier: str
    def __init__(self, model: _Optional[str] = ..., family: _Optional[_Union[_models_pb2.Family, str]] = ..., version: _Optional[str] = ..., predicted_latency_s: _Optional[float] = ..., quality: _Optional[float] = ..., tier: _Optional[str] = ...) -> None: ...

class Rejection(_message.Message):
    __slots__ = ("model", "family", "reason", "explanation", "tier", "predicted_latency_s")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_LATENCY_S_FIELD_NUMBER: _ClassVar[int]
    model: str
    family: _models_pb2.Family
    reason: RejectionReason
    explanation: str
    tier: str
    predicted_latency_s: float
    def __init__(self, model: _Optional[str] = ..., family: _Optional[_Union[_models_pb2.Family, str]] = ..., reason: _Optional[_Union[RejectionReason, str]] = ..., explanation: _Optional[str] = ..., tier: _Optional[str] = ..., predicted_latency_s: _Optional[float] = ...) -> None: ...

class Counterfactual(_message.Message):
    __slots__ = ("change", "model", "family", "tier", "predicted_latency_s", "quality")
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_LATENCY_S_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    change: str
    model: str
    family: _models_pb2.Family
    tier: str
    predicted_latency_s: float
    quality: float
    def __init__(self, change: _Optional[str] = ..., model: _Optional[str] = ..., family: _Optional[_Union[_models_pb2.Family, str]] = ..., tier: _Optional[str] = ..., predicted_latency_s: _Optional[float] = ..., quality: _Optional[float] = ...) -> None: ...

class Understood(_message.Message):
    __slots__ = ("row", "line", "confidence", "task", "input", "output", "priority", "class_label")
    ROW_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    CLASS_LABEL_FIELD_NUMBER: _ClassVar[int]
    row: str
    line: int
    confidence: float
    task: _models_pb2.TaskKind
    input: _media_pb2.Modality
    output: _media_pb2.Modality
    priority: Priority
    class_label: str
    def __init__(self, row: _Optional[str] = ..., line: _Optional[int] = ..., confidence: _Optional[float] = ..., task: _Optional[_Union[_models_pb2.TaskKind, str]] = ..., input: _Optional[_Union[_media_pb2.Modality, str]] = ..., output: _Optional[_Union[_media_pb2.Modality, str]] = ..., priority: _Optional[_Union[Priority, str]] = ..., class_label: _Optional[str] = ...) -> None: ...

class Tier(_message.Message):
    __slots__ = ("name", "steps", "set_for_deadline", "quality", "predicted_latency_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    SET_FOR_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_LATENCY_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    steps: int
    set_for_deadline: bool
    quality: float
    predicted_latency_s: float
    def __init__(self, name: _Optional[str] = ..., steps: _Optional[int] = ..., set_for_deadline: _Optional[bool] = ..., quality: _Optional[float] = ..., predicted_latency_s: _Optional[float] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("choice", "alternatives", "rejections", "rule", "counterfactuals", "explanation", "understood", "canary")
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    REJECTIONS_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    COUNTERFACTUALS_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    UNDERSTOOD_FIELD_NUMBER: _ClassVar[int]
    CANARY_FIELD_NUMBER: _ClassVar[int]
    choice: Candidate
    alternatives: _containers.RepeatedCompositeFieldContainer[Candidate]
    rejections: _containers.RepeatedCompositeFieldContainer[Rejection]
    rule: Rule
    counterfactuals: _containers.RepeatedCompositeFieldContainer[Counterfactual]
    explanation: str
    understood: Understood
    canary: bool
    def __init__(self, choice: _Optional[_Union[Candidate, _Mapping]] = ..., alternatives: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., rejections: _Optional[_Iterable[_Union[Rejection, _Mapping]]] = ..., rule: _Optional[_Union[Rule, _Mapping]] = ..., counterfactuals: _Optional[_Iterable[_Union[Counterfactual, _Mapping]]] = ..., explanation: _Optional[str] = ..., understood: _Optional[_Union[Understood, _Mapping]] = ..., canary: _Optional[bool] = ...) -> None: ...
