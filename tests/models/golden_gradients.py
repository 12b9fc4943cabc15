"""Gradients against those of the official model."""

import numpy as np


def check_gradients(case, parameters, near) -> None:
    """Of a golden ``case``: the norm of each of ``parameters``' gradients, and slices of some."""
    assert set(case.meta["grad_keys"]) == set(parameters)
    norms = np.array([parameters[key].grad.double().norm().item() for key in case.meta["grad_keys"]])
    expected = case["f64_grad_norms"].numpy()
    relevant = expected > 1e-6 * expected.max()
    near(case.name, "gradient norms", norms[relevant], expected[relevant], 1e-3, relative=True)
    for key in (key for key in case.arrays if key.startswith("f64_grad_slice/")):
        gradient = parameters[key.removeprefix("f64_grad_slice/")].grad.flatten()
        part = gradient[:: max(1, gradient.numel() // 64)][:64].double().numpy()
        assert np.abs(part - case[key].numpy()).max() < 5e-3 * np.abs(case[key].numpy()).max()
