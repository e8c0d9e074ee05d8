"""Uploaded files between the dry run and its confirmation: packed, in pieces, in the database.

Not on a disk: the process that takes the confirmation may run on another host.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from tempfile import SpooledTemporaryFile
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from ..models import Upload, UploadPart
from .load import Source
from .records import Options

PIECE = 1024**2
IN_MEMORY = 8 * 1024**2
KEPT_FOR = timedelta(days=1)


class UploadIsGone(Exception):
    """It was confirmed or cancelled meanwhile, perhaps by a second click."""


@transaction.atomic
def keep(user: Any, files: Iterable[UploadedFile], options: dict[str, str]) -> Upload:
    """Stores the files until they are confirmed, and forgets those that nobody confirmed for a day."""
    Upload.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()
    upload = Upload.objects.create(user=user, options=options)
    for number, file in enumerate(files):
        for place, piece in enumerate(pieces_of(file)):
            data = zlib.compress(piece, 1)
            UploadPart.objects.create(
                upload=upload, file=number, name=file.name or "", number=place, data=data
            )
    return upload


def pieces_of(file: UploadedFile) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


def file_names(upload: Upload) -> list[str]:
    parts = upload.parts.order_by("file").values_list("file", "name").distinct()
    return [name for _, name in parts]


@contextmanager
def sources(upload: Upload) -> Iterator[list[Source]]:
    """The files as they were sent, for as long as the block runs."""
    with ExitStack() as opened:
        found: list[Source] = []
        last = None
        for part in upload.parts.order_by("file", "number").iterator(chunk_size=4):
            if part.file != last:
                last = part.file
                file: Any = opened.enter_context(SpooledTemporaryFile(IN_MEMORY))
                found.append(Source(part.name, file))
            file.write(zlib.decompress(part.data))
        for source in found:
            source.file.seek(0)  # type: ignore[union-attr]
        yield found


def options_of(upload: Upload) -> Options:
    return Options(**{name: upload.options.get(name) or None for name in Options.__slots__})


def claim(upload: Upload) -> None:
    """Whoever deletes the upload has the right to import it: the second of two clicks finds it gone."""
    held = Upload.objects.select_for_update().filter(pk=upload.pk).first()
    if held is None:
        raise UploadIsGone
    held.delete()
