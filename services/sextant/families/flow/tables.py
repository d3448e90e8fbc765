"""Tables as rows of a flow, float32[r, columns] in the data's own units."""

import numpy as np
from numpy.typing import NDArray

from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Media, Table
from sextant.contract.tasks import Size
from sextant.contract.violations import quoted
from sextant.families.latents import finite_float32
from sextant.families.unread import check_size


class Tables:
    """The domain of RealNVP; see `domain.Domain`. `columns` are the names, in the order of the network."""

    most_rows = 4096

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self.shape: tuple[int, ...] = (len(columns),)

    def asked_rows(self, size: Size) -> int:
        """A single row, or as many as asked for."""
        check_size(size, Size(rows=size.rows))
        if size.rows > self.most_rows:
            raise InvalidRequest("size.rows", f"must be at most {self.most_rows}, not {size.rows}")
        return size.rows or 1

    def read(self, media: Media | None, field: str) -> NDArray[np.float32]:
        """The values of a table, its columns found by name in any order; without names they are in the model's."""
        if not isinstance(media, Table):
            raise InvalidRequest(f"{field}.table", "must hold a table")
        values = media.values
        if not 1 <= len(values) <= self.most_rows:
            raise InvalidRequest(f"{field}.table.values", f"must have 1 to {self.most_rows} rows, not {len(values)}")
        if media.columns:
            if sorted(media.columns) != sorted(self._columns):
                given = ", ".join(quoted(name) for name in media.columns[: 2 * len(self._columns)])
                reason = f"must be {', '.join(self._columns)}, in any order, not {given}"
                raise InvalidRequest(f"{field}.table.columns", reason)
            values = values[:, [media.columns.index(name) for name in self._columns]]
        elif values.shape[1] != len(self._columns):
            reason = f"has {values.shape[1]} columns; the model's are {', '.join(self._columns)}"
            raise InvalidRequest(f"{field}.table.values", reason)
        return finite_float32(values, f"{field}.table.values.data")

    def read_to_score(self, media: Media | None, field: str) -> NDArray[np.float32]:
        """The values: the density is of them as they stand."""
        return self.read(media, field)

    def media(self, x: NDArray[np.float32]) -> Table:
        """The rows under the model's columns."""
        return Table(self._columns, x)
