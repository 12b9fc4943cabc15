"""Sizes of cards."""

import pytest

from cotracker_pipeline.config import ModelSize, Recipe
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.planning.card import card_bytes, card_name, check_parameters_fit


@pytest.mark.parametrize("text", ["24GB", "24 GiB", "24gb", "24", "24.0", " 24576MB ", "24576 MiB"])
def test_a_card_of_24_gb_has_24_gib(text: str) -> None:
    assert card_bytes(text) == 24 * 2**30
    assert card_name(card_bytes(text)) == "24 GiB = 25.77 GB"


def test_parts_of_a_gigabyte() -> None:
    assert card_bytes("7.5GB") == 7.5 * 2**30
    assert card_name(card_bytes("7.5GB")) == "7.5 GiB = 8.05 GB"


@pytest.mark.parametrize("text", ["", "GB", "24TB", "24 G B", "-2", "2e1", "inf", "24,0", "0x18", "24.GB"])
def test_what_is_no_size_is_said_in_a_sentence(text: str) -> None:
    with pytest.raises(UserError, match="is no size of a card; write it as 24GB"):
        card_bytes(text)


@pytest.mark.parametrize("text", ["0", "0.0GB", "0MiB", "25769803776", "10001GB"])
def test_what_no_card_can_have(text: str) -> None:
    with pytest.raises(UserError, match="give more than 0 and at most 10000 GB"):
        card_bytes(text)


def test_parameters_must_fit() -> None:
    """45.5 million parameters; each with its gradient and two moments takes 16 bytes."""
    check_parameters_fit(Recipe(), ModelSize(), 740_000_000)
    with pytest.raises(UserError, match=r"0\.72 GB cannot hold the parameters.*which are 0\.73 GB"):
        check_parameters_fit(Recipe(), ModelSize(), 720_000_000)


def test_a_model_that_cannot_be_built() -> None:
    with pytest.raises(UserError, match=r"this model cannot be built \(.*change memory\.model") as caught:
        check_parameters_fit(Recipe(), ModelSize(feature_dim=10**9, hidden_size=8 * 10**10), 2**40)
    assert "\n" not in str(caught.value)
