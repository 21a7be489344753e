"""The files of a folder, written all together and read with suspicion."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy.folder.manifest import MANIFEST, FolderError, manifest_of
from deploy.onnx_file import MOST_BYTES


def write_new(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of these files, by path; a folder of ours that is there is replaced, anything else refused.

    Whoever looks sees the old one or the new one, never half. Raises `FolderError`.
    """
    require_replaceable(folder)
    token = secrets.token_hex(8)
    fresh, old = (folder.with_name(f".{folder.name}.{token}.{what}") for what in ("new", "old"))
    try:
        for path, content in files.items():
            file = fresh / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        if folder.exists():
            folder.rename(old)
        try:
            fresh.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    except OSError as e:
        raise FolderError(f"cannot write {folder}: {e.strerror}") from None
    finally:
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)


def require_replaceable(folder: Path) -> None:
    """Raise `FolderError` unless a folder is not there, is empty, or holds nothing but what its manifest lists."""
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise FolderError(f"{folder} is no folder; choose another --folder")
    found = set(paths_in(folder))
    if found and not found <= {MANIFEST, *(manifest_of(folder).files if MANIFEST in found else ())}:
        raise FolderError(f"{folder} holds other things than a folder of ours; choose another --folder")


def paths_in(folder: Path) -> Iterator[str]:
    """Every file below a folder, by path; links count as files. Hidden ones at the top, such as .git, are left out."""
    for base, folders, names in os.walk(folder):
        here = Path(base).relative_to(folder)
        if base == str(folder):
            folders[:], names = ([n for n in every if not n.startswith(".")] for every in (folders, names))
        links = [name for name in folders if (Path(base) / name).is_symlink()]
        for name in (*names, *links):
            yield (here / name).as_posix()


def read_listed(folder: Path, path: str, size: int) -> bytes:
    """The bytes of a listed file; raises `FolderError` when it is a link, no plain file, or of another size.

    No part of the path may be a link, so nothing outside the folder is ever read.
    """
    where = folder
    for part in path.split("/"):
        where = where / part
        if where.is_symlink():
            raise FolderError(f"{path} is a link")
    try:
        descriptor = os.open(where, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise FolderError(f"{path} is no plain file")
            if status.st_size != size or size > MOST_BYTES:
                raise FolderError(f"{path} has {status.st_size} bytes, not {size} as listed")
            return file.read(size + 1)
    except OSError as e:
        raise FolderError(f"cannot read {path}: {e.strerror}") from None
