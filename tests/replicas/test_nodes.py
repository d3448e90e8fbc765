"""Nodes of a cluster: how they start, and how replicas are spread over them."""

import json
import socket

from sextant.replicas.config import ClusterConfig
from sextant.replicas.nodes import head_command, member_command, own_address, resolved, spread


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def families(**replicas: int) -> ClusterConfig:
    return ClusterConfig.model_validate(
        {"families": {name: {"models": ["a"], "replicas": count} for name, count in replicas.items()}}
    )


def test_there_are_as_many_replicas_of_a_family_as_there_is_room_for_whatever_the_file_says():
    spread_out = spread(families(gan=1, vae=4), {"family_gan": 3.0, "family_vae": 1.0, "CPU": 16.0})
    assert spread_out.families["gan"].replicas == 3
    assert spread_out.families["vae"].replicas == 1


def test_a_replica_goes_only_where_there_is_room_for_its_family():
    spread_out = spread(families(gan=1), {"family_gan": 2.0})
    assert spread_out.families["gan"].resources == {"family_gan": 1.0}


def test_a_family_without_room_waits_for_it_as_one_replica():
    assert spread(families(gan=5), {}).families["gan"].replicas == 1


def test_a_member_offers_room_for_its_families_and_finds_its_address_on_the_way_to_the_head():
    command = member_command("localhost:6379", families=["gan", "vae"], replicas=2, num_cpus=3, num_gpus=1)
    assert json.loads(option(command, "--resources")) == {"family_gan": 2, "family_vae": 2}
    assert option(command, "--address") == "127.0.0.1:6379"
    assert option(command, "--node-ip-address") == "127.0.0.1"
    assert option(command, "--num-gpus") == "1"


def test_the_head_and_a_gateways_node_have_room_for_no_replica():
    assert option(head_command(), "--num-cpus") == "0"
    assert option(member_command("127.0.0.1:1"), "--num-cpus") == "0"
    assert option(member_command("127.0.0.1:1"), "--num-gpus") == "0"
    assert json.loads(option(member_command("127.0.0.1:1"), "--resources")) == {}


def test_names_become_numbers():
    assert resolved("localhost:6379") == "127.0.0.1:6379"
    assert socket.inet_aton(own_address("127.0.0.1:6379"))
