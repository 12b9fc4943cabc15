"""A compiled model is the same model."""

from functools import partialmethod

import torch
from test_out_of_memory import deviation
from test_training_continues import RECIPE, SIZE, batch, run
from torch import nn

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.compilation import PARTS, compiled
from cotracker_pipeline.rungs import RUNGS
from cotracker_pipeline.training.loop import Training


def training(**keys: object) -> Training:
    strategy = Strategy.model_validate({**RUNGS["fast"], **keys})
    torch.manual_seed(0)
    return Training(compiled(build_model(SIZE, RECIPE, strategy), strategy), RECIPE, 0, strategy)


def test_a_compiled_training_is_the_training(monkeypatch):
    # the whole graph of forward and backward pass, but not the minutes of making kernels from it
    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend="aot_eager"))
    plain, fast = training(), training(compile=True)
    for each in (plain, fast):
        run(each, (batch(i) for i in range(2)))
    assert deviation(fast, plain) < 1e-3
    assert list(fast.model.state_dict()) == list(plain.model.state_dict())


def test_only_who_asks_is_compiled():
    for strategy in (Strategy(), Strategy(compile=True)):
        model = compiled(build_model(SIZE, RECIPE, strategy), strategy)
        parts = [model.get_submodule(name) for name in PARTS]
        assert [part._compiled_call_impl is not None for part in parts] == [strategy.compile] * 2
