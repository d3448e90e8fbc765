from sextant.contract.v1 import generation_pb2 as _generation_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StoredAnswer(_message.Message):
    __slots__ = ("generate", "transform", "interpolate", "encode", "encode_stream", "decode", "score", "receipt")
    GENERATE_FIELD_NUMBER: _ClassVar[int]
    TRANSFORM_FIELD_NUMBER: _ClassVar[int]
    INTERPOLATE_FIELD_NUMBER: _ClassVar[int]
    ENCODE_FIELD_NUMBER: _ClassVar[int]
    ENCODE_STREAM_FIELD_NUMBER: _ClassVar[int]
    DECODE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    generate: _generation_pb2.GenerateRequest
    transform: _generation_pb2.TransformRequest
    interpolate: _generation_pb2.InterpolateRequest
    encode: _generation_pb2.EncodeRequest
    encode_stream: _generation_pb2.EncodeRequest
    decode: _generation_pb2.DecodeRequest
    score: _generation_pb2.ScoreRequest
    receipt: _generation_pb2.Receipt
    def __init__(self, generate: _Optional[_Union[_generation_pb2.GenerateRequest, _Mapping]] = ..., transform: _Optional[_Union[_generation_pb2.TransformRequest, _Mapping]] = ..., interpolate: _Optional[_Union[_generation_pb2.InterpolateRequest, _Mapping]] = ..., encode: _Optional[_Union[_generation_pb2.EncodeRequest, _Mapping]] = ..., encode_stream: _Optional[_Union[_generation_pb2.EncodeRequest, _Mapping]] = ..., decode: _Optional[_Union[_generation_pb2.DecodeRequest, _Mapping]] = ..., score: _Optional[_Union[_generation_pb2.ScoreRequest, _Mapping]] = ..., receipt: _Optional[_Union[_generation_pb2.Receipt, _Mapping]] = ...) -> None: ...
