"""Plain data pass the restricted unpickler, of any protocol and of numpy 1 as of numpy 2."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cotracker_pipeline.data.formats.arrays import load_npy, load_npz
from cotracker_pipeline.data.formats.unpickling import load_pickle, read_pickle
from cotracker_pipeline.errors import UserError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

element_types = st.one_of(
    npst.boolean_dtypes(),
    npst.integer_dtypes(endianness="<"),
    npst.unsigned_integer_dtypes(endianness="<"),
    npst.floating_dtypes(endianness="<", sizes=(16, 32, 64)),
    npst.byte_string_dtypes(max_len=9),
    npst.unicode_string_dtypes(endianness="<", max_len=9),
)
arrays = npst.arrays(element_types, npst.array_shapes(min_dims=0, min_side=0, max_side=4))
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.binary(), inner, max_size=4)
    ),
    max_leaves=12,
)


def unpickled(content: bytes) -> object:
    return read_pickle(io.BytesIO(content), "file")


def equal(one: object, two: object) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, np.ndarray | np.generic) and isinstance(two, np.ndarray | np.generic):
        if one.dtype == two.dtype == object:
            return equal(one.tolist(), two.tolist())
        return one.dtype == two.dtype and np.array_equal(one, two, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict) and isinstance(two, dict):
        return equal(list(one.items()), list(two.items()))
    if isinstance(one, list | tuple) and isinstance(two, list | tuple):
        return len(one) == len(two) and all(map(equal, one, two))
    return one == two


@settings(max_examples=150, deadline=None)
@given(value=plain, protocol=st.sampled_from(PROTOCOLS), old_numpy=st.booleans())
def test_plain_data_pass(value: object, protocol: int, old_numpy: bool) -> None:
    content = pickle.dumps(value, protocol)
    if old_numpy and protocol < 4:
        # names are lines of text there
        content = content.replace(b"cnumpy._core.", b"cnumpy.core.")
    assert equal(unpickled(content), value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        np.float32(1.5),
        np.bool_(True),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12)[::2],
        np.array([b"ab", None, {"a": 1}, [2]], dtype=object),
        np.array({"coords": np.zeros((2, 3))}, dtype=object),
        np.array([b"\xff\xd8 one", b"two"]),
        {"a": b"", "b": b"\x00\xff"},
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}",
)
def test_each_kind_of_array_passes(value: object, protocol: int) -> None:
    assert equal(unpickled(pickle.dumps(value, protocol)), value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_ordered_mapping_becomes_a_dictionary(protocol: int) -> None:
    assert unpickled(pickle.dumps(OrderedDict(b=1, a=[2]), protocol)) == {"b": 1, "a": [2]}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_shared_is_one_object(protocol: int) -> None:
    array = np.arange(3)
    one, two = unpickled(pickle.dumps([array, array], protocol))  # type: ignore[misc]
    assert one is two


def test_an_object_in_an_npy_file(tmp_path: Path) -> None:
    value = {"coords": np.ones((2, 3, 2), np.float32), "name": "a"}
    np.save(tmp_path / "a.npy", value, allow_pickle=True)  # type: ignore[arg-type]
    assert equal(load_npy(tmp_path / "a.npy"), value)


@settings(max_examples=50, deadline=None)
@given(array=arrays)
def test_arrays_in_npy_and_npz_files(array: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("arrays")
    np.save(folder / "a.npy", array)
    np.savez_compressed(folder / "a.npz", first=array, second=array)
    assert equal(load_npy(folder / "a.npy"), array)
    found = load_npz(folder / "a.npz", ("first",), ("third",))
    assert list(found) == ["first"]
    assert equal(found["first"], array)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", first=np.zeros(2))
    with pytest.raises(UserError, match=r"a\.npz: has no array second"):
        load_npz(tmp_path / "a.npz", ("first", "second"))
    for load in (load_pickle, load_npy):
        with pytest.raises(UserError, match=r"none: cannot be read \(No such file"):
            load(tmp_path / "none")
