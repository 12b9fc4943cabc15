"""Starting the processes of a training that has several, by torchrun's engine."""

import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import torch

from cotracker_pipeline.config import Training
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.training.stopping import heed, send_to_children

#: Ports that jobs of SLURM are spread over, by their numbers.
_FIRST_PORT, _PORTS = 20_000, 10_000
#: torchrun's name for one that is free.
_ANY_PORT = "localhost:0"
#: A process that was asked to stop finishes its step and writes its state.
_SECONDS_TO_STOP = 600


def launched() -> bool:
    """Whether torchrun has started this process."""
    return "LOCAL_RANK" in os.environ


def launch(training: Training, module: str, arguments: Sequence[str]) -> NoReturn:
    """Run ``python -m module arguments`` in all processes of this machine, which are sent its signals, too.

    Ends with the status of the first that fails, or 0.

    Raises:
        UserError: when there are fewer GPUs than processes, several machines without SLURM, or a process
            that was killed.
    """
    available = torch.cuda.device_count()
    if training.device == "cuda" and available < training.devices:
        raise UserError(
            f"training.devices is {training.devices}, but torch sees {available} GPUs here; lower it, or ask "
            "for more"
        )
    heed(_pass_on)
    # it tells failures in many lines; each process tells its own in one
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=training.nodes,
        max_nodes=training.nodes,
        nproc_per_node=training.devices,
        max_restarts=0,
        # taken by _pass_on
        signals_to_handle="SIGHUP",
        shutdown_timeout=_SECONDS_TO_STOP,
        **_meeting(training.nodes),
    )
    # it would set one thread and say so; the study says how many
    os.environ.setdefault("OMP_NUM_THREADS", str(training.threads))
    try:
        elastic_launch(config, sys.executable)("-m", module, *arguments)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode >= 0:
            sys.exit(failure.exitcode)
        raise UserError(
            f"process {rank} of the training was ended by {signal.Signals(-failure.exitcode).name}, perhaps "
            "as memory ran out; the same command continues"
        ) from error
    sys.exit(0)


def _meeting(nodes: int) -> dict[str, Any]:
    """Where the processes of all machines meet."""
    if nodes == 1:
        return {"rdzv_backend": "c10d", "rdzv_endpoint": _ANY_PORT, "run_id": str(os.getpid())}
    job, address, node = (
        os.environ.get(f"SLURM_{name}") for name in ("JOB_ID", "LAUNCH_NODE_IPADDR", "NODEID")
    )
    if job is None or address is None or node is None or os.environ.get("SLURM_STEP_NUM_NODES") != str(nodes):
        raise UserError(
            f"training.nodes is {nodes}, but this is no step of SLURM with as many; start it by srun "
            f"--nodes={nodes} --ntasks-per-node=1, or by torchrun on each machine"
        )
    return {
        "rdzv_backend": "static",
        "rdzv_endpoint": f"{address}:{_FIRST_PORT + int(job) % _PORTS}",
        "rdzv_configs": {"rank": int(node)},
        "run_id": job,
    }


def _pass_on(number: int, frame: FrameType | None) -> None:
    """To the processes: each is in a session of its own, which signals to a group do not reach."""
    del frame
    send_to_children(number)
