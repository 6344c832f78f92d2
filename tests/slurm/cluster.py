"""A Slurm cluster of this machine alone: the controller and two nodes with a pretended GPU each, on 127.0.0.1.

Debian's packages have all of it (``python -m tests.slurm.install``). Its clients look for their configuration in
``CONFIGURATION`` whatever is in the environment of a job, so nothing is started where a cluster's own lies there.
"""

import os
import secrets
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
from psutil import Process, process_iter

from tests.slurm.install import DAEMONS

CONFIGURATION = Path("/etc/slurm/slurm.conf")
NODES = ("node1", "node2")
MEMORY = 20_000  # MB that each node says it has
NULL = os.makedev(1, 3)  # the device that swallows everything
PLUGIN = "snakemake_executor_plugin_slurm"
PATIENCE = 60.0  # seconds for a daemon to answer
SLURM_CONF = """\
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.sock
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
SlurmdTimeout=10
ReturnToService=2
MinJobAge=3600
GresTypes=gpu
TaskProlog={folder}/scratch
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
NodeName={names} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports} CPUs=2 RealMemory={memory} Gres=gpu:{gpu}:1
PartitionName=cpu Nodes=ALL Default=YES State=UP
PartitionName=gpu Nodes=ALL State=UP
"""
SCRATCH = """\
#!/bin/sh
# Each node has a disk of its own.
mkdir -p {folder}/disk-$SLURMD_NODENAME
echo export TMPDIR={folder}/disk-$SLURMD_NODENAME
"""


def obstacle() -> str | None:
    """Why no cluster can be started on this machine."""
    if missing := [name for name in DAEMONS if not shutil.which(name)]:
        return f"{', '.join(missing)} not installed: python -m tests.slurm.install"
    if not find_spec(PLUGIN):
        return "Snakemake's plugin for Slurm is not installed: make setup"
    if os.geteuid() != 0:
        return "needs root, for the daemons run jobs as their users"
    if CONFIGURATION.exists():
        return f"{CONFIGURATION} is there: this machine is one of a cluster"
    return None


class Cluster:
    """gpu: the type of the pretended GPUs."""

    def __init__(self, folder: Path, gpu: str = "pretended"):
        self.folder, self.name = folder, f"pretended{os.getpid()}"
        self.daemons: dict[str, subprocess.Popen] = {}
        controller, *ports = _free_ports(1 + len(NODES))
        said = {"host": socket.gethostname().partition(".")[0], "folder": folder, "controller": controller}
        said |= {"name": self.name, "memory": MEMORY, "gpu": gpu}
        said |= {"names": ",".join(NODES), "ports": ",".join(map(str, ports))}
        (folder / "state").mkdir(parents=True)
        folder.chmod(0o755)  # the socket of munge has to be reached by all
        (folder / "slurm.conf").write_text(SLURM_CONF.format(**said))
        (folder / "scratch").write_text(SCRATCH.format(folder=folder))
        (folder / "scratch").chmod(0o755)
        for number, node in enumerate(NODES):
            os.mknod(folder / f"gpu{number}", stat.S_IFCHR | 0o666, NULL)  # of the kind that Slurm takes for one
            with (folder / "gres.conf").open("a") as file:
                file.write(f"NodeName={node} Name=gpu Type={gpu} File={folder}/gpu{number}\n")

    def start(self, name: str, *command: str | Path) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
            )

    def start_munge(self) -> None:
        key, socket = self.folder / "munge.key", self.folder / "munge.sock"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        places = {"key-file": key, "socket": socket, "pid-file": "munged.pid", "log-file": "munged.log"}
        places |= {"seed-file": "munge.seed"}
        options = [f"--{name}={self.folder / place}" for name, place in places.items()]
        self.start("munged", "munged", "--force", "--foreground", *options)
        wait_for(lambda: _succeeds("munge", "-S", socket, "-n"), "munge")

    def start_controller(self) -> None:
        self.start("slurmctld", "slurmctld", "-D", "-i", "-f", self.folder / "slurm.conf")
        wait_for(lambda: "UP" in self.ask("scontrol", "ping"), "slurmctld")

    def start_node(self, name: str) -> None:
        self.start(name, "slurmd", "-D", "-N", name, "-f", self.folder / "slurm.conf")

    def wait_until_idle(self) -> None:
        wait_for(lambda: self.ask("sinfo", "-h", "-p", "gpu", "-o", "%T").split() == ["idle"], "the nodes")

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def ask(self, *command: str) -> str:
        """What a client of Slurm prints."""
        return subprocess.run(command, env=self.environment, text=True, capture_output=True, timeout=60).stdout

    def running(self) -> dict[str, str]:
        """By Slurm's number of each job that runs: its partition, processors, memory and time limit, then its
        rule and wildcards, as Snakemake's plugin notes them."""
        lines = self.ask("squeue", "-h", "-t", "RUNNING", "-o", "%i %P %c %m %l %k").splitlines()
        return dict(line.split(maxsplit=1) for line in lines)

    def told(self, job: str, column: str) -> str:
        """What squeue says of a job in one of its columns, such as %T of its state."""
        return self.ask("squeue", "-h", "-t", "all", "-j", job, "-o", column).strip()

    def processes(self, job: str | None = None) -> list[Process]:
        """What runs of a job, or of all jobs of this cluster, Slurm's own steps not counted."""
        found = []
        for process in process_iter():
            with suppress(psutil.Error):
                given = process.environ()
                if given.get("SLURM_CLUSTER_NAME") == self.name and job in (None, given["SLURM_JOB_ID"]):
                    found.append(process)
        return found

    def lose(self, node: str) -> None:
        """The node stops at once, with all that runs there."""
        self.end(node, hard=True)
        jobs = self.ask("squeue", "-h", "-w", node, "-t", "RUNNING", "-o", "%i").split()
        lost = [process for job in jobs for process in self.processes(job)]
        steps = {parent for process in lost for parent in process.parents() if parent.name().startswith("slurmstepd")}
        for process in (*steps, *lost):
            with suppress(psutil.Error):
                process.kill()

    def end(self, name: str, hard: bool = False) -> None:
        """Ends a daemon, its own process alone."""
        process = self.daemons.pop(name)
        process.kill() if hard else process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(what: Callable[[], object], name: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {name}"
        time.sleep(0.2)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster that is up, and ends with all its daemons and jobs."""
    made = Cluster(folder)
    CONFIGURATION.parent.mkdir(exist_ok=True)
    CONFIGURATION.symlink_to(folder / "slurm.conf")
    try:
        made.start_munge()
        made.start_controller()
        for node in NODES:
            made.start_node(node)
        made.wait_until_idle()
        yield made
    finally:
        if "slurmctld" in made.daemons:
            made.ask("scancel", "--full", "--signal=KILL", "--user=root")
        for process in made.processes():
            with suppress(psutil.Error):
                process.kill()
        for name in [*made.daemons][::-1]:
            made.end(name)
        CONFIGURATION.unlink()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _succeeds(*command: str | Path) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0
