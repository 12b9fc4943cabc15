"""A real SLURM on one machine: a controller, accounting, and nodes that are processes with make-believe GPUs.

As root, after ``tests/slurm/install.sh``::

    python tests/slurm/cluster.py up FOLDER      # then sinfo, sbatch and snakemake --profile profiles/slurm
    python tests/slurm/cluster.py down

Everything is in FOLDER but for links in /etc/slurm, which the commands of SLURM read.
"""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import configuration
import daemons
import psutil
from configuration import Size
from daemons import Daemon, wait_until

COMMANDS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch", "sacctmgr")
ETC = Path("/etc/slurm")
LINKED = ("slurm.conf", "slurmdbd.conf", "gres.conf", "cgroup.conf")
SIZE = Size()


def missing() -> str:
    """Why there can be no cluster here, in words; empty where there can be one."""
    absent = [command for command in COMMANDS if not shutil.which(command, path=_path())]
    if absent:
        return f"SLURM is not installed ({', '.join(absent)}); run tests/slurm/install.sh as root"
    if os.geteuid() != 0:
        return "only root can start nodes with GPUs and memory limits"
    if (ETC / "slurm.conf").exists():
        return f"{ETC}/slurm.conf is there already; end that SLURM first (python tests/slurm/cluster.py down)"
    return ""


def up(state: Path, size: Size = SIZE) -> None:
    """Start everything in the new folder ``state`` and wait until all nodes are idle.

    Raises ``TimeoutError`` naming what did not start, and ``FileExistsError``.
    """
    state.mkdir(parents=True)
    configuration.write(state, size)
    _link(state)
    _start_authentication(state)
    _start_accounting(state)
    Daemon("slurmctld", ("slurmctld", "-D", "-i"), state).start(PATH=_path())
    wait_until(lambda: succeeds("scontrol", "ping"), 30, "the controller answers")
    for node in configuration.node_names(size):
        start_node(state, node)
    wait_until(lambda: states() == {"idle"}, 30, "all nodes are idle")


def down(state: Path) -> None:
    """Cancel all jobs and stop everything; the folder stays."""
    if "slurmctld" in daemons.running(state) and succeeds("scancel", "--user", "root"):
        wait_until(lambda: not command("squeue", "--noheader"), 30, "all jobs have ended")
    for name in daemons.running(state):
        daemons.stop(state, name)
    for name in LINKED:
        (ETC / name).unlink(missing_ok=True)


def start_node(state: Path, node: str) -> None:
    Daemon(node, ("slurmd", "-D", "-N", node), state).start(PATH=_path())


def crash_node(state: Path, node: str, job: str) -> None:
    """End the node and the ``job`` that it runs at once, as a power cut does."""
    daemons.stop(state, node, signal.SIGKILL)
    keepers = [one for one in psutil.process_iter(["cmdline"]) if _keeps(one.info["cmdline"], job)]
    for process in [child for one in keepers for child in one.children(recursive=True)] + keepers:
        process.kill()


def command(*arguments: str) -> str:
    """What a command of SLURM says, without blank ends. Raises ``CalledProcessError``."""
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, env=_environment())
    return done.stdout.strip()


def succeeds(*arguments: str) -> bool:
    return subprocess.run(arguments, capture_output=True, env=_environment()).returncode == 0


def states() -> set[str]:
    return set(command("sinfo", "--noheader", "--Node", "--format", "%T").split())


def _keeps(arguments: list[str] | None, job: str) -> bool:
    """Whether a process is SLURM's keeper of a step of ``job``."""
    return (arguments or [""])[0].startswith(f"slurmstepd: [{job}.")


def _link(state: Path) -> None:
    ETC.mkdir(exist_ok=True)
    for name in LINKED:
        (ETC / name).unlink(missing_ok=True)
        (ETC / name).symlink_to(state / "etc" / name)


def _start_authentication(state: Path) -> None:
    key = state / "etc" / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    run = state / "run"
    options = {
        "key-file": key,
        "socket": run / "munge.socket",
        "pid-file": run / "munged-own.pid",
        "seed-file": run / "munge.seed",
        "log-file": state / "log" / "munge.log",
    }
    given = [f"--{name}={path}" for name, path in options.items()]
    Daemon("munged", ("munged", "--foreground", "--force", *given), state).start(PATH=_path())
    wait_until((run / "munge.socket").is_socket, 10, "munge has its socket")


def _start_accounting(state: Path) -> None:
    settings = f"--defaults-file={state}/etc/database.cnf"
    command("mariadb-install-db", settings, "--auth-root-authentication-method=socket", "--skip-test-db")
    Daemon("database", ("mariadbd", settings), state).start(PATH=_path())
    client = ("mariadb", "--no-defaults", f"--socket={state}/run/database.socket", "--execute")
    wait_until(lambda: succeeds(*client, "SELECT 1"), 60, "the database answers")
    command(*client, "CREATE USER slurm@'127.0.0.1'; CREATE USER slurm@localhost")
    command(*client, "GRANT ALL ON slurm.* TO slurm@'127.0.0.1'; GRANT ALL ON slurm.* TO slurm@localhost")
    Daemon("slurmdbd", ("slurmdbd", "-D"), state).start(PATH=_path())
    wait_until(lambda: succeeds("sacctmgr", "--noheader", "show", "cluster"), 60, "accounting answers")
    command("sacctmgr", "--immediate", "add", "cluster", "onehost")
    command("sacctmgr", "--immediate", "add", "account", "study")
    command("sacctmgr", "--immediate", "add", "user", "root", "account=study")


def _path() -> str:
    """The commands of an administrator are found too."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def _environment() -> dict[str, str]:
    return os.environ | {"PATH": _path()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("up").add_argument("folder", type=Path)
    actions.add_parser("down")
    options = parser.parse_args()
    if options.action == "down":
        if not (ETC / "slurm.conf").is_symlink():
            sys.exit("error: no cluster of this script runs here")
        down((ETC / "slurm.conf").resolve().parents[1])
    elif reason := missing():
        sys.exit(f"error: {reason}")
    else:
        up(options.folder.resolve())


if __name__ == "__main__":
    main()
