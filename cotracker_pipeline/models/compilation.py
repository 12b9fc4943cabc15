"""Compiling the parts of a model that are called again and again."""

from typing import TypeVar

from torch import nn

from cotracker_pipeline.config import Strategy

#: The encoder and the transformer.
PARTS = ("fnet", "updateformer")

Model = TypeVar("Model", bound=nn.Module)


def compiled(model: Model, strategy: Strategy) -> Model:
    """``model`` itself; if ``strategy`` says so, its ``PARTS`` compile when they are first called.

    Its parameters and their names stay. Sizes are left open: the number of tracks differs from window to
    window. On a CPU this needs a C++ compiler.
    """
    if strategy.compile:
        for part in PARTS:
            model.get_submodule(part).compile(dynamic=True)
    return model
