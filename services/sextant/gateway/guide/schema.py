"""guide.yaml: the guide as data. Read, checked, and every complaint with its line."""

import os
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sextant.contract.errors import SextantError
from sextant.contract.media import Modality
from sextant.contract.options import Priority
from sextant.contract.tasks import TaskKind

_INSTALLED = Path(__file__).parent / "guide.yaml"
_IN_REPOSITORY = Path(__file__).parents[4] / "deploy" / "guide.yaml"


class GuideError(SextantError):
    """The guide cannot be used; each line of the message is "file:line: what is wrong"."""


class _RowFields(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=64)
    task: TaskKind
    input: Modality | None = None
    output: Modality | None = None
    priority: Priority | None = None
    families: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=1)


class Row(_RowFields):
    """One row: when its task and whatever else it names fit, its families are tried in order."""

    line: int = Field(ge=1)

    @property
    def specificity(self) -> int:
        """How many things the row names besides its task; the most specific row that fits fires."""
        return sum(value is not None for value in (self.input, self.output, self.priority))


@dataclass(frozen=True, slots=True)
class Guide:
    """The rows, in the order of the file."""

    rows: tuple[Row, ...]


def default_guide_path() -> Path:
    """`SEXTANT_GUIDE`, or the guide that Sextant comes with."""
    configured = os.environ.get("SEXTANT_GUIDE")
    if configured:
        return Path(configured)
    return _INSTALLED if _INSTALLED.exists() else _IN_REPOSITORY


def load_guide(path: Path) -> Guide:
    """The guide in the file at `path`. Raises `GuideError` with the line of everything that is wrong."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GuideError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GuideError(f"{path}:{_complaint(error, 1)}") from error
    rows = _rows_node(path, root)
    complaints: list[str] = []
    parsed: list[Row] = []
    for node in rows.value:
        line = node.start_mark.line + 1
        complaints += [f"{path}:{at}: {key}: is given twice" for key, at in _repeated_keys(node)]
        try:
            fields = _RowFields.model_validate(yaml.SafeLoader("").construct_document(node))
        except ValidationError as error:
            for fault in error.errors():
                where = _line_of(node, fault["loc"])
                name = ".".join(map(str, fault["loc"])) or "row"
                complaints.append(f"{path}:{where}: {name}: {fault['msg']}")
            continue
        except yaml.YAMLError as error:
            complaints.append(f"{path}:{_complaint(error, line)}")
            continue
        if any(fields.name == row.name for row in parsed):
            complaints.append(f"{path}:{line}: name: {fields.name!r} is taken by an earlier row")
        parsed.append(Row(**fields.model_dump(), line=line))
    if complaints:
        raise GuideError("\n".join(complaints))
    return Guide(tuple(parsed))


def _rows_node(path: Path, root: yaml.Node | None) -> yaml.SequenceNode:
    if isinstance(root, yaml.MappingNode):
        for key, _ in root.value:
            if key.value != "rows":
                raise GuideError(f"{path}:{key.start_mark.line + 1}: {key.value}: the guide knows only 'rows'")
        for _, value in root.value:
            if isinstance(value, yaml.SequenceNode) and value.value:
                return value
    raise GuideError(f"{path}:1: the guide is a mapping with a list named 'rows', of at least one row")


def _complaint(error: yaml.YAMLError | UnicodeDecodeError, line: int) -> str:
    """ "line: what is wrong", with `line` where the error does not know its own."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark
        return f"{mark.line + 1 if mark else line}: {error.problem}"
    return f"{line}: not UTF-8 text: {' '.join(str(error).split())}"


def _repeated_keys(node: yaml.Node) -> list[tuple[str, int]]:
    """Keys that a row gives again, with the line; YAML itself would silently take the last."""
    keys = [(key.value, key.start_mark.line + 1) for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    return [(key, line) for index, (key, line) in enumerate(keys) if key in [earlier for earlier, _ in keys[:index]]]


def _line_of(node: yaml.Node, location: tuple[int | str, ...]) -> int:
    """The line of the key that a complaint is about; the row's own where it has no such key."""
    if location and isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            if key.value == location[0]:
                return int(key.start_mark.line) + 1
    return int(node.start_mark.line) + 1
