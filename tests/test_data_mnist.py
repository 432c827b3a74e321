"""MNIST from a folder or a mirror: verified, cached, and refused in one line. Small files stand in for the real four.

The tests of the real files look for them in the folder RIDGELINE_MNIST, or beside the repository.
"""

import gzip
import hashlib
import http.server
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from opening import opened
from ridgeline.config import ConfigError, DataConfig
from ridgeline.data import arrays, load_splits, mnist, splits

REAL = Path(os.environ.get("RIDGELINE_MNIST", Path(__file__).parents[1] / "../shared/data/mnist"))
needs_mnist = pytest.mark.skipif(
    not REAL.is_dir(), reason="no MNIST here: RIDGELINE_MNIST=FOLDER of the four IDX files"
)
IMAGES, TEST_LABELS = "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def config(root=None, **values):
    return DataConfig(
        "mnist", **{"train": 0.8, "validation": 0.2, "standardize": "none", **values}, root=root and str(root)
    )


def forget():
    """What was read is read again."""
    splits._load.cache_clear()
    arrays.load_arrays.cache_clear()


def refusal(root=None):
    """The line by which the folder, or the download, is refused."""
    forget()
    with pytest.raises(ConfigError) as caught:
        load_splits(config(root))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


@pytest.fixture
def contents(monkeypatch):
    """The bytes of four small files by name, with their hashes in place of the real ones."""
    rng = np.random.default_rng(0)
    contents = {}
    for part, n in (("train", 100), ("t10k", 20)):
        contents[f"{part}-images-idx3-ubyte"] = idx(rng.integers(0, 256, (n, 28, 28), np.uint8))
        contents[f"{part}-labels-idx1-ubyte"] = idx((np.arange(n) % 10).astype(np.uint8))
    monkeypatch.setattr(mnist, "SHA256", {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()})
    forget()
    yield contents
    forget()


@pytest.fixture
def folder(contents, tmp_path):
    """A folder of the small files, compressed."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name, data in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(data))
    return folder


@pytest.fixture
def mirror(folder, tmp_path, monkeypatch):
    """A mirror on this machine, second to one where nobody listens; yields the names that were asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, template, *values):
            asked.append(Path(self.path).name)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/", f"http://127.0.0.1:{server.server_port}/"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("RIDGELINE_CACHE", str(tmp_path / "cache"))
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def cached(tmp_path, name):
    return tmp_path / "cache/mnist" / name


def test_the_files_become_flat_pixels_between_0_and_1(folder, contents):
    loaded = load_splits(config(folder, split="first"))
    pixels = np.frombuffer(contents[IMAGES], np.uint8, offset=16).reshape(100, 784)
    assert np.allclose(loaded.train.x_NI, pixels[:80] / 255, atol=1e-7)
    assert np.allclose(loaded.validation.x_NI, pixels[80:] / 255, atol=1e-7)
    assert (loaded.train.x_NI.min(), loaded.train.x_NI.max()) == (0, 1)
    assert loaded.train.y_N.tolist() == [*range(10)] * 8
    assert loaded.image_shape == (1, 28, 28)
    assert loaded.description.examples == (80, 20, 20)


def test_the_test_split_is_the_official_one(folder, contents):
    test = opened(config(folder))
    pixels = np.frombuffer(contents["t10k-images-idx3-ubyte"], np.uint8, offset=16).reshape(20, 784)
    assert np.allclose(test.x_NI, pixels / 255, atol=1e-7)
    assert test.y_N.tolist() == [*range(10)] * 2


def test_plain_and_compressed_files_have_the_same_hash(folder, contents, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    for name, data in contents.items():
        (plain / name).write_bytes(data)
    assert load_splits(config(plain)).description == load_splits(config(folder)).description


@pytest.mark.parametrize("keep", [0, 3, 10, 2000, -1])
def test_truncated_gzip_file_is_refused(folder, keep):
    path = folder / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:keep])
    line = refusal(folder)
    assert f"{IMAGES}.gz" in line
    assert f"data.root={folder}" in line


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (lambda data: data[:-1], "has 108 bytes (it has 107)"),
        (lambda data: data + b"!", "has 108 bytes (it has 109)"),
        (lambda data: data[:3], "is an IDX file of bytes"),
        (lambda data: data[:6], "is an IDX file of bytes"),
        (lambda data: b"", "is an IDX file of bytes"),
        (lambda data: b"<html>not found</html>", "is an IDX file of bytes"),
        (lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:], "has the SHA-256"),
        (lambda data: data[:7] + bytes([99]) + data[8:-1], "has the SHA-256"),
    ],
    ids=["cut", "longer", "magic cut", "sizes cut", "empty", "a page", "one bit", "one label fewer"],
)
def test_truncated_or_garbled_file_is_refused(folder, contents, damage, rule):
    name = "train-labels-idx1-ubyte"
    (folder / f"{name}.gz").unlink()
    (folder / name).write_bytes(damage(contents[name]))
    line = refusal(folder)
    assert f"`{name} {rule}" in line
    assert f"data.root={folder}" in line


def test_damaged_test_labels_are_refused_before_a_search(folder):
    path = folder / f"{TEST_LABELS}.gz"
    path.write_bytes(b"not gzip")
    assert refusal(folder) == f"`{TEST_LABELS}.gz is a whole gzip file` must hold, but got data.root={folder}."


def test_missing_file_is_refused(folder):
    (folder / f"{IMAGES}.gz").unlink()
    assert refusal(folder) == f"`data.root holds {IMAGES} or {IMAGES}.gz` must hold, but got data.root={folder}."


def test_missing_folder_is_refused(tmp_path):
    missing = tmp_path / "absent"
    assert refusal(missing) == f"`data.root is a folder` must hold, but got data.root={missing}."


def test_a_file_that_is_a_folder_is_refused(folder):
    (folder / IMAGES).mkdir()
    assert f"`{IMAGES} can be read (Is a directory)` must hold" in refusal(folder)


def test_download_falls_back_to_the_second_mirror_and_is_the_same_data(folder, mirror):
    downloaded = load_splits(config())
    assert sorted(mirror) == sorted(path.name for path in folder.iterdir())
    assert downloaded.description == load_splits(config(folder)).description
    assert torch.equal(downloaded.train.x_NI, load_splits(config(folder)).train.x_NI)


def test_download_happens_once(mirror):
    load_splits(config())
    mirror.clear()
    forget()
    load_splits(config())
    assert mirror == []


def test_damaged_cache_is_downloaded_again(mirror, contents, tmp_path):
    load_splits(config())
    mirror.clear()
    cached(tmp_path, IMAGES).write_bytes(contents[IMAGES][:-1])
    forget()
    load_splits(config())
    assert mirror == [f"{IMAGES}.gz"]
    assert cached(tmp_path, IMAGES).read_bytes() == contents[IMAGES]


@pytest.mark.parametrize(
    ("served", "reason"),
    [
        (gzip.compress(idx(np.zeros((100, 28, 28), np.uint8))), "wrong checksum"),
        (b"<html>log in first</html>", "BadGzipFile"),
        (gzip.compress(b"truncated" * 99)[:-12], "EOFError"),
        (None, "HTTPError"),
    ],
    ids=["other data", "a page", "truncated", "absent"],
)
def test_wrong_download_is_refused_and_not_kept(served, reason, folder, mirror, tmp_path):
    path = folder / f"{IMAGES}.gz"
    path.unlink()
    if served is not None:
        path.write_bytes(served)
    line = refusal()
    assert reason in line
    assert not cached(tmp_path, IMAGES).exists()


def test_without_a_network_one_line_says_what_to_do(mirror, monkeypatch):
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/", "http://127.0.0.1:1/"))
    line = refusal()
    assert "http://127.0.0.1:9/ ConnectionError; http://127.0.0.1:1/ ConnectionError" in line
    assert "data.root=FOLDER" in line


def test_mirrors_are_two_over_https():
    assert len({mirror.split("/")[2] for mirror in mnist.MIRRORS}) == 2
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in mnist.MIRRORS)


@needs_mnist
def test_real_mnist_is_what_the_case_study_splits():
    loaded = load_splits(config(REAL, split="first", train=0.7, validation=0.3))
    assert loaded.description.examples == (42000, 18000, 10000)
    assert (loaded.n_features, loaded.n_classes) == (784, 10)
    assert loaded.train.y_N[:5].tolist() == [5, 0, 4, 1, 9]
    assert (loaded.train.x_NI.min(), loaded.train.x_NI.max()) == (0, 1)
    assert loaded.train.x_NI.mean().item() == pytest.approx(0.1307, abs=5e-4)


@needs_mnist
def test_real_mnist_limited_to_some_examples():
    loaded = load_splits(config(REAL, examples=1000, standardize="feature"))
    assert loaded.description.examples == (800, 200, 10000)
    assert loaded.train.x_NI.isfinite().all()
    assert loaded.validation.x_NI.isfinite().all()
    assert torch.bincount(loaded.train.y_N).min() > 60
