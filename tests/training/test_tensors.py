"""Tensors come back equal in bits, shape, type and layout, and the library reads what we wrote."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from leadline.training.tensors import NAMES, is_finite, read_tensors, write_tensors


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


@st.composite
def any_tensor(draw: st.DrawFn) -> torch.Tensor:
    """Random bits of a random type and shape, in a random layout."""
    shape = draw(st.lists(st.integers(0, 4), max_size=5))
    dtype = draw(st.sampled_from(sorted(NAMES, key=str)))
    count = math.prod(shape) * dtype.itemsize
    raw = torch.tensor(list(draw(st.binary(min_size=count, max_size=count))), dtype=torch.uint8)
    raw = raw % 2 if dtype == torch.bool else raw
    tensor = (raw.view(dtype) if count else torch.empty(0, dtype=dtype)).reshape(shape)
    return tensor.permute(draw(st.permutations(range(len(shape))))) if shape else tensor


@settings(max_examples=60, deadline=None)
@given(tensors=st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), any_tensor(), max_size=6))
def test_any_tensors_come_back_equal(tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, torch.Tensor]) -> None:
    tensors.pop("__metadata__", None)
    path = tmp_path_factory.mktemp("tensors") / "t.safetensors"
    write_tensors(path, tensors)
    found = read_tensors(path)
    assert {*found} == {*tensors} == {*load_file(path)}
    for name, tensor in tensors.items():
        assert (found[name].dtype, found[name].shape, bits(found[name])) == (tensor.dtype, tensor.shape, bits(tensor))
        assert bits(load_file(path)[name]) == bits(tensor)


def test_channels_last_and_transposed_tensors_keep_their_layout(tmp_path: Path) -> None:
    tensors = {
        "image": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "video": torch.randn(2, 3, 4, 5, 6).to(memory_format=torch.channels_last_3d),
        "turned": torch.randn(3, 4).t(),
    }
    write_tensors(tmp_path / "t", tensors)
    for name, tensor in read_tensors(tmp_path / "t").items():
        assert tensor.stride() == tensors[name].stride()
        assert torch.equal(tensor, tensors[name])


def test_shared_sliced_and_expanded_tensors_are_written_out(tmp_path: Path) -> None:
    whole = torch.arange(12.0)
    tensors = {"a": whole, "b": whole, "slice": whole[2:9:3], "wide": whole[:1].expand(5)}
    write_tensors(tmp_path / "t", tensors)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in read_tensors(tmp_path / "t").items())


@pytest.mark.parametrize(
    ("value", "finite"), [(1.0, True), (-torch.inf, True), (torch.inf, False), (torch.nan, False)], ids=["number", "mask", "inf", "nan"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_nan_and_infinity_are_noticed_and_masks_are_not(value: float, finite: bool, dtype: torch.dtype) -> None:
    tensor = torch.zeros(10, dtype=dtype)
    tensor[7] = value
    assert is_finite(tensor) is finite
    assert is_finite(torch.zeros(0, dtype=dtype))


def test_a_tensor_without_a_safetensors_form_is_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="weights"):
        write_tensors(tmp_path / "t", {"weights": torch.zeros(2, dtype=torch.complex128)})
