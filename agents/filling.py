"""Values that the stores lack: kept of a change that is held back, and given to a later one that leaves them out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from agents.held_images import HeldImages, image_names, long_values
from agents.schema_book import SeenIn
from models import Change, TableSchema
from parrot_faust.delivery.images import Images
from parrot_faust.errors import RowTooLarge
from parrot_faust.masking import Masking, TableMask

Pending = list[Awaitable[Any]]


class Filling:
    """Fills the gaps of rows from the images of their lane. What it sends is added to the batch's `pending`.

    `confirmed` tells the offset of a source partition that is committed; a row may have `largest` bytes.
    """

    def __init__(
        self, kept: HeldImages, masking: Masking, confirmed: Callable[[str, int], int | None], largest: int
    ) -> None:
        self._kept, self._masking, self._confirmed, self._largest = kept, masking, confirmed, largest

    async def hold(
        self,
        source: SeenIn,
        pending: Pending,
        images: Images,
        schema: TableSchema,
        change: Change,
        mask: TableMask | None,
    ) -> None:
        """Keep what a held change brought, for a later one that leaves it out."""
        if change.after is None:
            return
        absent = [name for position in change.unset for name in image_names(schema.columns[position].name)]
        brought = long_values(schema, change, mask.columns if mask else (), limit=self._largest)
        if images.hold(change.key, change.offset, brought, absent):
            await self._store(source, pending, images, change.key)

    async def fill(self, source: SeenIn, pending: Pending, images: Images, schema: TableSchema, change: Change) -> None:
        """Give a change that passes the values it left out and the stores lack.

        Raise RowTooLarge where one of them is larger than a row may be; the change then does not pass.
        """
        lacking = images.lacking(change.key)
        if lacking is None:
            return
        for position in change.unset:
            for name in image_names(schema.columns[position].name):
                if isinstance(value := lacking.get(name), int):
                    what = f"column {schema.columns[position].name}"
                    raise RowTooLarge(schema.table, value, self._largest, what=what)
        images.passing(change.key, change.offset)
        if change.after is not None and change.unset:
            after, unset = list(change.after), []
            for position in change.unset:
                name = schema.columns[position].name
                plain, masked = image_names(name)
                if masked in lacking:
                    after[position] = lacking[masked]
                elif plain in lacking:  # also what was kept before the column was masked
                    after[position] = self._masking.masked(schema.table, name, lacking[plain])
                else:
                    unset.append(position)
            change.after, change.unset = tuple(after), tuple(unset)
        await self._store(source, pending, images, change.key)

    async def _store(self, source: SeenIn, pending: Pending, images: Images, key: tuple[Any, ...]) -> None:
        images.forget(key, self._confirmed(source.topic, source.partition) or 0)
        pending.append(await self._kept.store(source.topic, source.partition, key, images))
