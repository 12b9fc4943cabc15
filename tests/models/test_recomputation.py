"""What each grain of recomputation keeps and computes again, on a step at a small size."""

import pytest
from small_models import SMALL

from cotracker_pipeline.config import Clip, Recipe, Strategy
from cotracker_pipeline.memory import Prediction, predict_peak_memory

MODEL = SMALL.model_copy(update={"encoder_widths": (8, 8, 8, 16, 16), "depth": 2})


def predict(*checkpoint: str, **others: object) -> Prediction:
    strategy = Strategy(checkpoint=checkpoint, correlation="local", attention="fused", **others)
    return predict_peak_memory(
        Recipe(tracks=150, iterations=3), strategy, Clip(frames=12, height=64, width=96), MODEL
    )


@pytest.fixture(scope="module")
def plain() -> Prediction:
    return predict()


def test_gelu_is_recomputed_without_a_product(plain):
    found = predict("gelu")
    assert found.flops == plain.flops
    assert found.peak_allocated_bytes < plain.peak_allocated_bytes


def test_of_a_hidden_layer_one_product_of_two_is_computed_again(plain):
    tokens = 8 * (150 + 8) + 8 * 8 + 8 * 8 + 8 * 150
    first_product = 2 * 48 * 4 * 48 * tokens
    layers, calls = MODEL.depth, 2 * 3
    assert predict("hidden").flops - plain.flops == first_product * layers * calls


@pytest.mark.parametrize(
    ("finer", "coarser"),
    [(("gelu",), ()), (("hidden",), ("gelu",)), (("stage",), ("hidden",)), (("block",), ("hidden",))],
)
def test_the_larger_the_part_the_less_is_kept(finer, coarser):
    assert predict(*finer).peak_allocated_bytes < predict(*coarser).peak_allocated_bytes


def test_nested_parts_keep_less_and_cost_more(plain):
    outer, nested = predict("iteration"), predict("iteration", "block")
    assert nested.peak_allocated_bytes < outer.peak_allocated_bytes
    assert plain.flops < outer.flops < nested.flops
    # an inner part is computed once more than the outer one
    assert nested.flops - outer.flops <= outer.flops - plain.flops


def test_the_encoder_in_chunks_takes_the_memory_of_one():
    whole, chunks = (predict("encoder", "iteration", "block", encoder_chunk=size) for size in (0, 1))
    assert chunks.flops == whole.flops
    assert chunks.peak_allocated_bytes < whole.peak_allocated_bytes
