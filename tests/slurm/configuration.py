"""The configuration files of a SLURM whose controller and nodes are all on this machine."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

MEMORY_CGROUP = Path("/sys/fs/cgroup/memory")
GPU_MODEL = "h100"


class Size(NamedTuple):
    """What the cluster pretends to have; memory is in MB."""

    nodes: int = 4
    cpus: int = 1
    mem_mb: int = 8000
    gpus: int = 2


class Ports(NamedTuple):
    controller: int
    accounting: int
    database: int
    nodes: tuple[int, ...]


def node_names(size: Size) -> list[str]:
    return [f"node{number}" for number in range(1, size.nodes + 1)]


def free_ports(size: Size) -> Ports:
    """Ports of the loopback interface that nothing listens on."""
    with ExitStack() as taken:
        sockets = [taken.enter_context(socket.socket()) for _ in range(3 + size.nodes)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        controller, accounting, database, *nodes = (one.getsockname()[1] for one in sockets)
    return Ports(controller, accounting, database, tuple(nodes))


def limits_memory() -> bool:
    """Whether this machine lets SLURM enforce the memory that a job asked for."""
    return MEMORY_CGROUP.is_dir() and os.access(MEMORY_CGROUP, os.W_OK)


def write(state: Path, size: Size) -> None:
    """All configuration files in ``state/etc``, and the device nodes of the GPUs in ``state/dev``."""
    for folder in ("etc", "run", "log", "dev", "database", "controller"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    ports = free_ports(size)
    texts = {
        "slurm.conf": slurm(state, size, ports),
        "gres.conf": "\n".join(gpus(state / "dev", size)),
        "cgroup.conf": "CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\nConstrainRAMSpace=yes\n",
        "slurmdbd.conf": accounting(state, ports),
        "database.cnf": database(state, ports),
    }
    for name, text in texts.items():
        path = state / "etc" / name
        path.touch(mode=0o600)
        path.write_text(text)


def slurm(state: Path, size: Size, ports: Ports) -> str:
    host = socket.gethostname().split(".")[0]
    tracking = "cgroup" if limits_memory() else "linuxproc"
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
        for name, port in zip(node_names(size), ports.nodes, strict=True)
    )
    return f"""\
ClusterName=onehost
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports.controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={state}/run/munge.socket
StateSaveLocation={state}/controller
SlurmdSpoolDir={state}/spool-%n
SlurmctldPidFile={state}/run/slurmctld-own.pid
SlurmdPidFile={state}/run/%n-own.pid
ProctrackType=proctrack/{tracking}
TaskPlugin=task/{"cgroup" if limits_memory() else "none"}
JobAcctGatherType=jobacct_gather/{"cgroup" if limits_memory() else "linux"}
JobAcctGatherFrequency=task=1
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
# the nodes claim more than this machine has
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
ReturnToService=2
# faults are to show within seconds; what ended is to stay in squeue for all tests
SlurmdTimeout=20
KillWait=20
MinJobAge=3000
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={ports.accounting}
AccountingStoragePass={state}/run/munge.socket
AccountingStorageTRES=gres/gpu
NodeName=DEFAULT CPUs={size.cpus} RealMemory={size.mem_mb} Gres=gpu:{GPU_MODEL}:{size.gpus}
{nodes}
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""


def gpus(devices: Path, size: Size) -> Iterator[str]:
    """The lines of gres.conf. SLURM wants a character device for each GPU: a second /dev/null will do."""
    for node in node_names(size):
        for number in range(size.gpus):
            device = devices / f"{node}-gpu{number}"
            os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
            yield f"NodeName={node} Name=gpu Type={GPU_MODEL} File={device}"


def accounting(state: Path, ports: Ports) -> str:
    return f"""\
AuthType=auth/munge
AuthInfo=socket={state}/run/munge.socket
DbdHost=localhost
DbdPort={ports.accounting}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports.database}
StorageUser=slurm
StorageLoc=slurm
PidFile={state}/run/slurmdbd-own.pid
"""


def database(state: Path, ports: Ports) -> str:
    return f"""\
[mariadbd]
user=root
datadir={state}/database
socket={state}/run/database.socket
bind-address=127.0.0.1
port={ports.database}
innodb-buffer-pool-size=64M
innodb-log-file-size=16M
innodb-lock-wait-timeout=900
innodb-flush-log-at-trx-commit=0
"""
