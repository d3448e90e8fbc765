"""Ray nodes of a cluster of several machines or containers, and which families each of them is for.

A node says which families it takes by custom resources of Ray: `family_gan: 1` is room for one replica of the GANs. So
a family's replicas go where its weights, its GPU and its memory limit are, and there are as many as there is room.
"""

import json
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sextant.replicas.config import ClusterConfig

RAY_PORT = 6379
_RESOURCE_PREFIX = "family_"
NODE_PORT = 6380
_OBJECT_STORE_BYTES = 100 * 2**20  # as in `cluster`: nothing large passes through it
_START = (
    *(str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"),
    *("--node-manager-port", str(NODE_PORT), "--object-store-memory", str(_OBJECT_STORE_BYTES)),
)


def head_command(port: int = RAY_PORT, address: str | None = None) -> list[str]:
    """The command line of the first node: it holds the cluster's state, and no replica."""
    place = ["--node-ip-address", address] if address else []
    return [*_START, "--head", "--include-dashboard", "false", "--port", str(port), "--num-cpus", "0", *place]


def member_command(
    head: str, *, families: Sequence[str] = (), replicas: int = 1, num_cpus: int = 0, num_gpus: int = 0
) -> list[str]:
    """The command line of a node that joins the cluster at `head`, "host:port", with room for replicas of families.

    Raises OSError where the head's name is unknown.
    """
    resources = json.dumps({_RESOURCE_PREFIX + family: replicas for family in families})
    return [
        *_START,
        *("--address", resolved(head)),
        *("--node-ip-address", own_address(head)),
        *("--num-cpus", str(num_cpus), "--num-gpus", str(num_gpus)),
        *("--resources", resources),
    ]


def resolved(head: str) -> str:
    """`head` by its number: Ray compares addresses as they are written."""
    host, _, port = head.rpartition(":")
    return f"{socket.gethostbyname(host)}:{port}"


def own_address(head: str) -> str:
    """The address of this machine on the network on which it reaches `head`; it may be on several."""
    host, _, port = head.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, int(port)))  # sends nothing
        return str(probe.getsockname()[0])


def spread(config: ClusterConfig, room: Mapping[str, float]) -> ClusterConfig:
    """`config` with as many replicas of each family as the cluster has room for, and each replica bound to such room.

    `room` are the cluster's resources as Ray tells them. A family without room keeps one replica, which waits for it.
    """
    families = {
        family: options.model_copy(
            update={
                "replicas": max(1, int(room.get(_RESOURCE_PREFIX + family, 0))),
                "resources": {**options.resources, _RESOURCE_PREFIX + family: 1.0},
            }
        )
        for family, options in config.families.items()
    }
    return config.model_copy(update={"families": families})
