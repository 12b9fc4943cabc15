"""The train step in processes that are killed, each forked from one that has imported torch already."""

import io
import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from safetensors.torch import load_file
from tiny_training import CLIP, STEPS

from cotracker_pipeline import train, warm_up
from cotracker_pipeline.command import run
from cotracker_pipeline.training.loop import Training
from cotracker_pipeline.training.matching_loop import Matching

#: That of a study which trains so.
WARM_UP = {"steps": STEPS, "clip": CLIP, "matched_frames": 2, "matches": 5}

#: Set in the process before it trains; told the folder that it writes to.
Trap = Callable[[Path], None]
_context = multiprocessing.get_context("forkserver")
# torch imports the last two when they are needed
_context.set_forkserver_preload(
    ["cotracker_pipeline.train", "cotracker_pipeline.warm_up", "einops._torch_specific", "torch._dynamo"]
)


class Run:
    """A training in ``folder`` that writes to a folder of its own there; started again it continues."""

    def __init__(self, folder: Path, name: str, step: str = "train") -> None:
        self.folder = folder
        self.step = step
        self.out = folder / name
        self.out.mkdir()
        self.log = self.out / "log"
        self.state = self.out / "state"

    def start(self, *traps: Trap) -> ForkServerProcess:
        process = _context.Process(target=_there, args=(self.folder, self.step, self.out, traps))
        process.start()
        return process

    def finish(self, *traps: Trap) -> int:
        """Its exit status; negative: the signal that killed it."""
        process = self.start(*traps)
        process.join(120)
        assert process.exitcode is not None
        return process.exitcode

    def results(self) -> dict[str, Any]:
        """The weights, but for the times the loss curve, and the validation curve if there is one."""
        weights = {key: tensor.tolist() for key, tensor in load_file(self.out / "model").items()}
        assert not self.state.exists()
        if self.step == "warm_up":
            return weights
        curve = pd.read_csv(self.out / "loss.csv").drop(columns="seconds")
        return {**weights, "curve": curve.to_dict("list"), "validation": self.validation()}

    def validation(self) -> str | None:
        """The file of the validation curve."""
        path = self.out / "validation.csv"
        return path.read_text() if path.exists() else None


def undisturbed_run(folder: Path) -> Run:
    """A training in ``folder`` to its end."""
    run = Run(folder, "undisturbed")
    assert run.finish() == 0, run.log.read_text()
    return run


def continues(run: Run, undisturbed: Run) -> None:
    """Started again, it ends as one that nothing happened to."""
    assert run.finish() == 0, run.log.read_text()
    assert run.results() == undisturbed.results()


def _there(folder: Path, step: str, out: Path, traps: tuple[Trap, ...]) -> None:
    """The whole process."""
    os.chdir(folder)
    log = os.open(out / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1), os.dup2(log, 2)
    files = ["--data", "0.h5", "1.h5", "--state-dir", str(out / "state"), "--output", str(out / "model")]
    variant = ["--variant", "baseline", "--seed", "0", "--loss-curve", str(out / "loss.csv")]
    if "validation" in yaml.safe_load(Path("study.yaml").read_text())["data"]:
        variant += ["--validation-data", "1.h5", "--validation-curve", str(out / "validation.csv")]
    sys.argv = [step, "--config", "study.yaml", *files, *(variant if step == "train" else [])]
    for trap in traps:
        trap(out)
    run({"train": train.main, "warm_up": warm_up.main}[step])


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class AtFileOperation:
    """Killed right before the ``number``-th time that it opens, renames, lists or deletes what it writes."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, out: Path) -> None:
        count = itertools.count()

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            ours = event.split(".")[0] in ("open", "os") and str(out) in str(arguments[:1])
            if ours and next(count) == self.number:
                _die()

        sys.addaudithook(hook)


class AmidState:
    """Killed when ``share`` of the bytes of the ``number``-th state are written."""

    def __init__(self, number: int, share: float) -> None:
        self.number = number
        self.share = share

    def __call__(self, out: Path) -> None:
        del out
        count, save = itertools.count(), torch.save

        def partly(state: Any, file: Any) -> None:
            if next(count) != self.number:
                return save(state, file)
            save(state, whole := io.BytesIO())
            file.write(whole.getvalue()[: int(self.share * len(whole.getvalue()))])
            file.flush()
            _die()

        torch.save = partly


class InStep:
    """What happens, by ``happen()``, in the midst of the steps of these numbers (from 0)."""

    def __init__(self, happen: Callable[[], None], *steps: int) -> None:
        self.happen = happen
        self.steps = steps

    def __call__(self, out: Path) -> None:
        del out
        for kind in (Training, Matching):
            kind._loss = self._disturbed(kind._loss)

    def _disturbed(self, loss: Callable[..., Any]) -> Callable[..., Any]:
        def disturbed(training: Any, batch: Any) -> Any:
            if training.step in self.steps:
                self.happen()
            return loss(training, batch)

        return disturbed


def signalled(step: int, *signals: signal.Signals) -> InStep:
    """The process is sent ``signals`` in the midst of a step."""
    return InStep(partial(_send, signals), step)


def _send(signals: tuple[signal.Signals, ...]) -> None:
    for number in signals:
        os.kill(os.getpid(), number)
