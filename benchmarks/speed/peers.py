"""The other engines' environment, and who is measured.

They cannot live beside ours (Quix Streams wants an older confluent-kafka), so they get an
environment of their own from ``requirements/peers.txt``, hashes checked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.servers import Servers
from benchmarks.speed.worker import path_of_modules
from hedgerow.app.embedded.child import Child

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "peers.txt"
HOME = ROOT / "build" / "peers"
PYTHON = HOME / "bin" / "python"
PACKAGES = ("bytewax", "confluent-kafka", "faust-streaming", "quixstreams", "river")
_VERSIONS = (
    "import json, sys; from importlib import metadata as m; "
    "have = {d.metadata['Name'].lower() for d in m.distributions()}; "
    "print(json.dumps({n: m.version(n) for n in sys.argv[1:] if n in have}))"
)


@dataclass(frozen=True, slots=True)
class Peer:
    """Another program at the same work.

    Attributes
    ----------
    name, title : str
        In the results, and on the page.
    module : str
        Its program.
    readings : int
        How many it gets; the slow ones get fewer, for what one costs is steady.
    package : str
        What has to be installed for it.
    """

    name: str
    title: str
    module: str
    readings: int
    package: str
    arguments: tuple[str, ...] = ()


FLOOR = Peer("floor", "raw floor: consume, decode, encode, produce", "floor", 3_000_000, "")
PEERS = (
    Peer("plain", "plain confluent-kafka loop + River", "plain", 40_000, "confluent-kafka"),
    Peer("bytewax", "Bytewax + River, recovery on", "bytewax_flow", 40_000, "bytewax"),
    Peer("quix", "Quix Streams + River, its state", "quix_app", 20_000, "quixstreams"),
    Peer("faust", "stock Faust + River, a dictionary", "faust_app", 15_000, "faust-streaming"),
    Peer("faust-table", "stock Faust + River, a Table", "faust_app", 8_000, "faust-streaming",
         ("--table",)),
)  # fmt: skip


def install() -> dict[str, str]:
    """Make the peers' environment where it is not there yet; return what is in it."""
    mark = HOME / "installed"
    if not mark.is_file() or mark.read_text("utf-8") != LOCK.read_text("utf-8"):
        venv.create(HOME, with_pip=True, clear=True)
        subprocess.run(
            [
                *(str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"),
                *("--require-hashes", "--no-deps", "--requirement", str(LOCK)),
            ],
            check=True,
        )
        mark.write_text(LOCK.read_text("utf-8"), "utf-8")
    asked = [str(PYTHON), "-c", _VERSIONS, *PACKAGES]
    said = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    found: dict[str, str] = json.loads(said)
    return found


def start(peer: Peer, servers: Servers, topic_in: str, topic_out: str, folder: Path) -> Child:
    """Start a peer on a full topic; what it stores and logs goes to ``folder``."""
    environment: Mapping[str, str] = {
        "BENCH_BOOTSTRAP": servers.bootstrap,
        "BENCH_READINGS": topic_in,
        "BENCH_PREDICTIONS": topic_out,
        "BENCH_FOLDER": str(folder),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    module = f"benchmarks.peers.{peer.module}"
    if peer is FLOOR:
        command = [sys.executable, "-m", module]
        return Child(peer.title, command, folder / "log", {**environment, **path_of_modules()})
    command = [str(PYTHON), "-m", module, *peer.arguments]
    if peer.package == "bytewax":
        recovery = folder / "recovery"
        recovery.mkdir()
        subprocess.run(
            [str(PYTHON), "-m", "bytewax.recovery", str(recovery), "1"],
            check=True,
            capture_output=True,
        )
        command = [str(PYTHON), "-m", "bytewax.run", f"{module}:flow",
                   "-r", str(recovery), "-s", "10", "-b", "0"]  # fmt: skip
    return Child(peer.title, command, folder / "log", {**environment, "PYTHONPATH": str(ROOT)})
