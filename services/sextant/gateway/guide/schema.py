"""guide.yaml: the guide as data. Read, checked, and every complaint with its line."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from sextant.contract.errors import SextantError
from sextant.contract.media import Modality
from sextant.contract.options import LONGEST_INTENT, Priority
from sextant.contract.tasks import TaskKind

_INSTALLED = Path(__file__).parent / "guide.yaml"
_IN_REPOSITORY = Path(__file__).parents[4] / "deploy" / "guide.yaml"

M = TypeVar("M", bound=BaseModel)
Phrase = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_INTENT)]


class GuideError(SextantError):
    """The guide cannot be used; each line of the message is "file:line: what is wrong"."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trial(_Strict):
    """Another model that gets a share of a row's requests, above 0 to 1, chosen by their seeds."""

    model: str = Field(min_length=1, max_length=64)
    share: float = Field(gt=0, le=1)


class _RowFields(_Strict):
    name: str = Field(min_length=1, max_length=64)
    task: TaskKind
    input: Modality | None = None
    output: Modality | None = None
    priority: Priority | None = None
    families: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=1)
    # Answers that share of the requests in the chosen model's place.
    canary: Trial | None = None
    # Answers that share of the requests as well, after the chosen model and unheard; metrics compare the two.
    shadow: Trial | None = None
    # What people say who mean this row.
    examples: tuple[Phrase, ...] = ()


class Row(_RowFields):
    """One row: when its task and whatever else it names fit, its families are tried in order."""

    line: int = Field(ge=1)

    @property
    def specificity(self) -> int:
        """How many things the row names besides its task; the most specific row that fits fires."""
        return sum(value is not None for value in (self.input, self.output, self.priority))


class IntentSettings(_Strict):
    """How plain words are read: see `gateway/guide/intent.py` for what the numbers are."""

    # The sentence encoder whose embeddings are compared.
    encoder: str = Field(default="minilm-l6-v2", min_length=1, max_length=64)
    # Below it a request is refused rather than guessed at.
    least_confidence: float = Field(default=0.6, ge=0, le=1)
    # How much nearer one row must be than another to be preferred; 1 is how near an example is to its own row.
    temperature: float = Field(default=0.05, gt=0, le=1)
    # What is no nearer than this to any example is taken for nothing that a row does.
    floor: float = Field(default=0.2, ge=-1, le=1)
    # What people say who mean nothing that a row does.
    elsewhere: tuple[Phrase, ...] = ()


@dataclass(frozen=True, slots=True)
class Guide:
    """The rows, in the order of the file; `digest` is the sha256 of the file, "" for a guide that is not from one."""

    rows: tuple[Row, ...]
    intent: IntentSettings = field(default_factory=IntentSettings)
    digest: str = ""


def default_guide_path() -> Path:
    """`SEXTANT_GUIDE`, or the guide that Sextant comes with."""
    configured = os.environ.get("SEXTANT_GUIDE")
    if configured:
        return Path(configured)
    return _INSTALLED if _INSTALLED.exists() else _IN_REPOSITORY


def load_guide(path: Path) -> Guide:
    """The guide in the file at `path`. Raises `GuideError` with the line of everything that is wrong."""
    try:
        content = path.read_bytes()
        root = yaml.compose(content.decode("utf-8"))
    except OSError as error:
        raise GuideError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GuideError(f"{path}:{_complaint(error, 1)}") from error
    rows, settings = _nodes(path, root)
    complaints: list[str] = []
    parsed: list[Row] = []
    for node in rows.value:
        line = node.start_mark.line + 1
        fields = _checked(_RowFields, "row", path, node, complaints)
        if fields is None:
            continue
        if any(fields.name == row.name for row in parsed):
            complaints.append(f"{path}:{line}: name: {fields.name!r} is taken by an earlier row")
        parsed.append(Row(**fields.model_dump(), line=line))
    intent = IntentSettings() if settings is None else _checked(IntentSettings, "intent", path, settings, complaints)
    if complaints or intent is None:
        raise GuideError("\n".join(complaints))
    return Guide(tuple(parsed), intent, hashlib.sha256(content).hexdigest())


def _checked(model: type[M], what: str, path: Path, node: yaml.Node, complaints: list[str]) -> M | None:
    """The node as a `model`; None where it is none, with each reason added to the complaints."""
    complaints += [f"{path}:{at}: {key}: is given twice" for key, at in _repeated_keys(node)]
    try:
        return model.model_validate(yaml.SafeLoader("").construct_document(node))
    except ValidationError as error:
        for fault in error.errors():
            where = _line_of(node, fault["loc"])
            name = ".".join(map(str, fault["loc"])) or what
            complaints.append(f"{path}:{where}: {name}: {fault['msg']}")
    except yaml.YAMLError as error:
        complaints.append(f"{path}:{_complaint(error, node.start_mark.line + 1)}")
    return None


def _nodes(path: Path, root: yaml.Node | None) -> tuple[yaml.SequenceNode, yaml.Node | None]:
    """The list of rows, and how intents are read where the guide says it."""
    rows = settings = None
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            if key.value not in ("rows", "intent"):
                told = f"{key.value}: the guide knows only 'rows' and 'intent'"
                raise GuideError(f"{path}:{key.start_mark.line + 1}: {told}")
            if key.value == "intent":
                settings = value
            elif isinstance(value, yaml.SequenceNode) and value.value:
                rows = value
    if rows is None:
        raise GuideError(f"{path}:1: the guide is a mapping with a list named 'rows', of at least one row")
    return rows, settings


def _complaint(error: yaml.YAMLError | UnicodeDecodeError, line: int) -> str:
    """ "line: what is wrong", with `line` where the error does not know its own."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark
        return f"{mark.line + 1 if mark else line}: {error.problem}"
    return f"{line}: not UTF-8 text: {' '.join(str(error).split())}"


def _repeated_keys(node: yaml.Node) -> list[tuple[str, int]]:
    """Keys that are given again, with the line; YAML itself would silently take the last."""
    found = []
    if isinstance(node, yaml.MappingNode):
        keys = [(key.value, key.start_mark.line + 1) for key, _ in node.value]
        found += [(key, line) for at, (key, line) in enumerate(keys) if key in [earlier for earlier, _ in keys[:at]]]
        for _, value in node.value:
            found += _repeated_keys(value)
    return found


def _line_of(node: yaml.Node, location: tuple[int | str, ...]) -> int:
    """The line of the innermost key or item that a complaint is about."""
    line = int(node.start_mark.line) + 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
            if found is None:
                break
            line, node = int(found[0].start_mark.line) + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = int(node.start_mark.line) + 1
        else:
            break
    return line
