"""The folder that is handed over: models in several formats and precisions, what is known of them, how to use them."""

from deploy.folder.manifest import FolderError, FolderManifest, ShippedModel, manifest_of
from deploy.folder.verify import FolderVerdict, verify_folder
from deploy.folder.wanted import Handed, Wanted
from deploy.folder.write import write_folder

__all__ = [
    "FolderError",
    "FolderManifest",
    "FolderVerdict",
    "Handed",
    "ShippedModel",
    "Wanted",
    "manifest_of",
    "verify_folder",
    "write_folder",
]
