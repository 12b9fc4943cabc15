"""The largest batch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import MadeUp, every_rung, question_of

from cotracker_pipeline.planning.batch import largest, largest_batch


@given(st.lists(st.integers(0, 9), min_size=1, max_size=70), st.integers(0, 300))
def test_bisection_agrees_with_trying_every_size(increments: list[int], card: int) -> None:
    needs = [sum(increments[:end]) for end in range(len(increments))] + [card + 1]
    expected = max(size for size, need in enumerate(needs, 1) if need <= card)
    asked: list[int] = []

    def fits(size: int) -> bool:
        asked.append(size)
        return size <= len(needs) and needs[size - 1] <= card

    assert largest(fits) == expected
    assert len(asked) <= 2 * expected.bit_length()


@pytest.mark.parametrize(("card", "size"), [(7, 1), (13, 1), (14, 2), (700, 100)])
def test_the_largest_batch_and_what_one_more_takes(card: int, size: int) -> None:
    rung = every_rung(question_of())[2]
    batch = largest_batch(question_of(), rung, card, MadeUp({rung.name: 7}.__getitem__))
    assert batch.size == size
    assert batch.prediction.smallest_card_bytes == 7 * size
    assert batch.one_more.smallest_card_bytes == 7 * (size + 1)
