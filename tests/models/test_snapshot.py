"""A snapshot is read back as it was, or refused by name."""

from __future__ import annotations

import hashlib
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from models.logs import CITY, city_log, run, state

from hedgerow.models import Learner, RawChunk, SnapshotError, decode_chunk, encode_chunk
from hedgerow.models.snapshot.chunks import MAGIC, VERSION

CHUNK = encode_chunk(RawChunk("rows/0", {"rows": np.arange(6.0).reshape(2, 3)}, {"n": 1}))


def forged(directory: object, blob: bytes = b"", *, version: int = VERSION) -> bytes:
    """A chunk whose head and checksum are right, whatever its directory says."""
    text = json.dumps(directory).encode()
    total = 24 + len(text) + len(blob) + 32
    head = MAGIC + b"".join(
        n.to_bytes(size, "little") for n, size in ((version, 4), (len(text), 4), (total, 8))
    )
    body = head + text + blob
    return body + (hashlib.sha256(body) if version > 2 else _blake2b(body)).digest()


def _blake2b(body: bytes) -> hashlib._Hash:
    return hashlib.blake2b(body, digest_size=32)


@pytest.mark.parametrize("version", [1, 2])
def test_a_chunk_with_the_checksum_of_older_versions_is_read(version: int) -> None:
    directory = {"name": "rows/0", "meta": {}, "arrays": [["rows", "<f8", [2]]]}
    data = forged(directory, np.arange(2.0).tobytes(), version=version)
    assert decode_chunk(data).arrays["rows"].tolist() == [0.0, 1.0]
    with pytest.raises(SnapshotError, match="checksum"):
        decode_chunk(data[:-1] + bytes([data[-1] ^ 1]))


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.one_of(
            hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)),
            hnp.arrays(np.int64, hnp.array_shapes(max_dims=2)),
            hnp.arrays(np.uint8, hnp.array_shapes(max_dims=1)),
        ),
        max_size=4,
    )
)
def test_arrays_survive_bit_for_bit(arrays: dict[str, np.ndarray]) -> None:
    raw = decode_chunk(encode_chunk(RawChunk("rows/0", arrays, {"k": [1, "x"]})))
    assert raw.name == "rows/0"
    assert raw.meta == {"k": [1, "x"]}
    assert list(raw.arrays) == list(arrays)
    for name, array in arrays.items():
        assert raw.arrays[name].dtype == array.dtype
        assert raw.arrays[name].shape == array.shape
        assert raw.arrays[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "cut short"),
        (CHUNK[:-1], "cut short"),
        (CHUNK + b"x", "longer"),
        (b"PICKLE\x80\x04" + CHUNK[8:], "does not begin with HEDGEROW"),
        (CHUNK[:-40] + bytes([CHUNK[-40] ^ 1]) + CHUNK[-39:], "checksum"),
        (forged({}, version=VERSION + 1), f"version {VERSION + 1}.*upgrade"),
        (forged({}), "unreadable directory"),
        (forged([1, 2]), "unreadable directory"),
        (forged({"name": 3, "meta": {}, "arrays": []}), "unreadable directory"),
        (forged({"name": "a", "meta": {}, "arrays": [["x", "|O8", [1]]]}), "unknown type"),
        (forged({"name": "a", "meta": {}, "arrays": [["x", "<f8", [-1]]]}), "impossible shape"),
        (forged({"name": "a", "meta": {}, "arrays": [["x", "<f8", [2**60]]]}), "larger"),
        (forged({"name": "a", "meta": {}, "arrays": [["x", "<f8", [0] * 40]]}), "larger"),
        (forged({"name": "a", "meta": {}, "arrays": []}, b"12345678"), "no array claims"),
    ],
)
def test_bad_bytes_are_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(SnapshotError, match=says):
        decode_chunk(data)


@settings(max_examples=300)
@given(st.data())
def test_any_change_is_noticed(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(CHUNK) - 1))
    flip = data.draw(st.integers(1, 255))
    with pytest.raises(SnapshotError):
        decode_chunk(CHUNK[:at] + bytes([CHUNK[at] ^ flip]) + CHUNK[at + 1 :])


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(SnapshotError):
        decode_chunk(MAGIC + data)


def test_a_chunk_that_claims_much_takes_little_memory() -> None:
    data = forged({"name": "a", "meta": {}, "arrays": [["x", "<f8", [2**31, 2**31]]]})
    tracemalloc.start()
    with pytest.raises(SnapshotError):
        decode_chunk(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.fixture(scope="module")
def stored() -> dict[str, bytes]:
    learner = Learner(CITY)
    run(learner, city_log(4, 600))
    return state(learner)


def test_every_missing_chunk_is_named(stored: dict[str, bytes]) -> None:
    for name in stored:
        rest = {key: data for key, data in stored.items() if key != name}
        with pytest.raises(SnapshotError, match=f"{name} of the snapshot is missing"):
            Learner.restore(CITY, rest)


def test_swapped_chunks_are_noticed(stored: dict[str, bytes]) -> None:
    first, second = [name for name in stored if name.startswith("rows/")][:2]
    swapped = {**stored, first: stored[second], second: stored[first]}
    with pytest.raises(SnapshotError, match=f"{second} stands where {first} should"):
        Learner.restore(CITY, swapped)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_forged_but_well_formed_chunk_never_gets_through_as_anything_else_than_an_error(
    stored: dict[str, bytes], data: st.DataObject
) -> None:
    """Checksums are right, contents are not: it is refused, or harmless to go on from."""
    name = data.draw(st.sampled_from(sorted(stored)))
    raw = decode_chunk(stored[name])
    arrays, meta = dict(raw.arrays), json.loads(json.dumps(dict(raw.meta)))
    if arrays:
        key = data.draw(st.sampled_from(sorted(arrays)))
        dtype = data.draw(st.sampled_from([np.float64, np.int64, np.uint8]))
        arrays[key] = data.draw(hnp.arrays(dtype, hnp.array_shapes(max_dims=2, min_side=0)))
    else:
        key = data.draw(st.sampled_from(sorted(meta)))
        meta[key] = data.draw(
            st.recursive(st.none() | st.integers() | st.text(max_size=3), st.lists, max_leaves=4)
        )
    try:
        learner = Learner.restore(
            CITY, {**stored, name: encode_chunk(RawChunk(name, arrays, meta))}
        )
    except SnapshotError:
        return
    run(learner, city_log(4, 50))


def test_ids_of_any_text_survive() -> None:
    learner = Learner(CITY)
    ids = ["", "ø", "🚲", "\ud800", "a/b", "x" * 300]
    learner.step(ids, ["q"] * 6, np.arange(6) * 10**9, np.ones(6), np.arange(6))
    restored = Learner.restore(CITY, state(learner))
    assert restored.series.sensor_ids == ids


def test_stepping_on_does_not_change_a_capture() -> None:
    log = city_log(9, 400)
    learner = Learner(CITY)
    run(learner, log.part(0, 200))
    capture = learner.capture()
    before = {name: encode_chunk(raw) for name, raw in capture.chunks.items()}
    run(learner, log.part(200, 400))
    assert {name: encode_chunk(raw) for name, raw in capture.chunks.items()} == before


def test_a_capture_holds_only_the_chunks_that_changed() -> None:
    learner = Learner(CITY)
    n = 600
    ids = [f"road-0-{i}/flow" for i in range(n)]
    for hour in range(25):
        learner.step(
            ids, [""] * n, np.full(n, hour * 3_600_000), np.full(n, float(hour)), np.arange(n)
        )
    learner.capture()
    learner.step([ids[300]], [""], np.array([26 * 3_600_000]), np.ones(1), np.zeros(1, np.int64))
    assert sorted(learner.capture().chunks) == [
        "meta",
        "rows/0000/00004",
        "silence/00000",
        "watermark",
    ]
