"""MNIST from its four IDX files: a folder of them, or a download into the cache, which is then such a folder.

Either way the contents are verified: SHA-256 of the uncompressed bytes, so it does not matter who compressed them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from pathlib import Path

import numpy as np

from ridgeline.arrays.idx import parse_idx
from ridgeline.cache import cache_folder
from ridgeline.config import ConfigError

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
TIMEOUT = (5, 20)
"""Seconds to connect, and between two arrivals of bytes."""


def read_mnist(root: str | None) -> tuple[np.ndarray, np.ndarray, int, dict[str, str]]:
    """Pixels in [0, 1] (N, 784) float32, labels (N,) int64, how many of the last rows are the test split, the hashes.

    Raises ConfigError in one line for a missing, truncated or different file, a missing folder, a failed download.
    """
    folder = _download() if root is None else Path(root).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"`data.root is a folder` must hold, but got data.root={root}.")
    arrays = {name: _read_idx(folder, name) for name in SHA256}
    pixels = np.concatenate([arrays["train-images-idx3-ubyte"], arrays["t10k-images-idx3-ubyte"]])
    labels = np.concatenate([arrays["train-labels-idx1-ubyte"], arrays["t10k-labels-idx1-ubyte"]])
    x_NI = pixels.reshape(len(pixels), -1).astype(np.float32) / np.float32(255)
    return x_NI, labels.astype(np.int64), len(arrays["t10k-labels-idx1-ubyte"]), dict(SHA256)


def _read_idx(folder: Path, name: str) -> np.ndarray:
    """The verified array of one IDX file."""
    path = next((path for path in (folder / name, folder / f"{name}.gz") if path.exists()), None)
    if path is None:
        raise ConfigError(f"`data.root holds {name} or {name}.gz` must hold, but got data.root={folder}.")

    def require(holds: bool, rule: str) -> None:
        if not holds:
            raise ConfigError(f"`{path.name} {rule}` must hold, but got data.root={folder}.")

    content = b""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        require(False, "is a whole gzip file")
    except OSError as error:
        require(False, f"can be read ({error.strerror})")
    try:
        array = parse_idx(content)
    except ValueError as error:
        raise ConfigError(f"`{path.name} {error}` must hold, but got data.root={folder}.") from None
    found = hashlib.sha256(content).hexdigest()
    require(found == SHA256[name], f"has the SHA-256 {SHA256[name]} uncompressed (it has {found})")
    return array


def _download() -> Path:
    """The cache folder, holding the four files uncompressed; what is there and whole is not fetched again."""
    import pooch

    folder = cache_folder() / "mnist"
    for name, sha256 in SHA256.items():
        reasons = []
        for mirror in MIRRORS:
            try:
                pooch.retrieve(f"{mirror}{name}.gz", f"sha256:{sha256}", name, folder, downloader=_fetch_unpacked)
                break
            except ValueError:
                reasons.append(f"{mirror} wrong checksum")
            except (OSError, EOFError, zlib.error) as error:  # requests' exceptions are OSErrors
                reasons.append(f"{mirror} {type(error).__name__}")
        else:
            raise ConfigError(
                f"Could not download {name}.gz into {folder} ({'; '.join(reasons)}). "
                "With the four files in a folder, give data.root=FOLDER."
            )
    return folder


def _fetch_unpacked(url: str, output_file: str, pooch_: object) -> None:
    """A downloader for pooch that stores the file uncompressed, so that pooch's hash is the one of the contents."""
    import pooch

    archive = io.BytesIO()
    pooch.HTTPDownloader(progressbar=True, chunk_size=1 << 16, timeout=TIMEOUT)(url, archive, pooch_)
    Path(output_file).write_bytes(gzip.decompress(archive.getvalue()))
