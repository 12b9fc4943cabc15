"""One thread; comparison with golden numbers, and in the end the largest deviation from each file."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

Deviations = dict[tuple[str, str], tuple[float, float]]
DEVIATIONS = pytest.StashKey[Deviations]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[DEVIATIONS] = {}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def near(request: pytest.FixtureRequest) -> Callable[..., None]:
    """``near(file, quantity, actual, expected, tolerance, relative=False)`` asserts, and keeps it."""
    kept = request.config.stash[DEVIATIONS]

    def compare(file, quantity, actual, expected, tolerance, relative=False):
        actual, expected = (torch.as_tensor(value).detach().double().numpy() for value in (actual, expected))
        assert actual.shape == expected.shape
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected), err_msg=f"{file}: {quantity}")
        difference = np.abs(actual - expected) / (np.abs(expected) if relative else 1)
        worst = float(np.nan_to_num(difference).max(initial=0))
        kind = f"{quantity} (relative)" if relative else quantity
        kept[file, kind] = max((worst, tolerance), kept.get((file, kind), (0.0, tolerance)))
        assert worst < tolerance, f"{file}: {kind} deviates by {worst:.2e}"

    return compare


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    deviations = config.stash[DEVIATIONS]
    if not deviations:
        return
    terminalreporter.section("largest deviation from each golden file")
    for (file, quantity), (worst, tolerance) in sorted(deviations.items()):
        terminalreporter.line(f"{file:28} {quantity:36} {worst:8.1e}  (tolerance {tolerance:.0e})")
