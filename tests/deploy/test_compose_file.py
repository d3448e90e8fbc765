"""docker-compose.yml and its overlay, as far as they can be checked without an engine; tests/compose runs them."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from sextant.families.family import FAMILIES
from sextant.replicas.config import ClusterConfig
from tests.deploy.places import DEPLOY, ROOT, read

COMPOSE = read(ROOT / "docker-compose.yml")
WORKERS = set(FAMILIES)
OURS = {"head", *WORKERS, "gateway-1", "gateway-2"}


def composed(*files: Path) -> dict:
    """The files merged by Compose itself, whichever version is here."""
    command = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    if shutil.which(command[0]) is None or subprocess.run([*command, "version"], capture_output=True).returncode != 0:
        pytest.skip("no Docker Compose is installed")
    arguments = [argument for file in files for argument in ("-f", str(file))]
    done = subprocess.run([*command, *arguments, "config"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    merged: dict = yaml.safe_load(done.stdout)
    return merged


def test_both_generations_of_compose_read_it():
    assert "name" not in COMPOSE, "Compose 1 refuses a name"
    assert "version" not in COMPOSE, "Compose 2 complains of a version"
    assert set(composed(ROOT / "docker-compose.yml")["services"]) == set(COMPOSE["services"])


def test_every_family_has_its_worker_and_prometheus_looks_for_each():
    assert set(COMPOSE["services"]) >= OURS
    for family in WORKERS:
        assert COMPOSE["services"][family]["command"] == ["node", "worker", "--family", family]
    jobs = {job["job_name"]: job for job in read(DEPLOY / "prometheus/prometheus.yml")["scrape_configs"]}
    (replicas,) = jobs["sextant-replicas"]["dns_sd_configs"]
    (gateways,) = jobs["sextant-gateways"]["dns_sd_configs"]
    assert set(replicas["names"]) == WORKERS
    assert set(gateways["names"]) == {"gateway-1", "gateway-2"}
    config = ClusterConfig.load(DEPLOY / "cluster/cluster.compose.yaml")
    assert replicas["port"] == config.replica_metrics_port
    environment = COMPOSE["services"]["gateway-1"]["environment"]
    assert environment["SEXTANT_METRICS_LISTEN"].endswith(f":{gateways['port']}")


def test_the_containers_serve_what_is_served_without_containers():
    config = ClusterConfig.load(DEPLOY / "cluster/cluster.compose.yaml")
    plain = ClusterConfig()
    assert {name: family.models for name, family in config.families.items()} == {
        name: plain.families[name].models for name in plain.deployed
    }
    hybrids = COMPOSE["services"]["gateway-1"]["environment"]["SEXTANT_HYBRIDS"]
    assert hybrids == f"${{SEXTANT_HYBRIDS-{','.join(plain.distributed_hybrids)}}}"
    gpu = ClusterConfig.load(DEPLOY / "cluster/cluster.gpu.yaml")
    assert {name: family.models for name, family in gpu.families.items()} == {
        name: family.models for name, family in config.families.items()
    }
    assert config.replica_listen == gpu.replica_listen == "node", "gateways are on other nodes"


@pytest.mark.parametrize("service", sorted(COMPOSE["services"]))
def test_every_container_is_confined(service: str):
    told = COMPOSE["services"][service]
    assert told["read_only"]
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["mem_limit"]
    assert told["cpus"]
    assert told["restart"] == "unless-stopped"
    if service in OURS:
        assert told["stop_grace_period"]
        assert told["secrets"] == ["ray_token"]


def test_rays_ports_and_the_replicas_are_on_a_network_without_a_way_out():
    assert COMPOSE["networks"]["cluster"]["internal"]
    for service in {"head", *WORKERS}:
        assert COMPOSE["services"][service]["networks"] == ["cluster"]
        assert "ports" not in COMPOSE["services"][service]


def test_no_secret_is_in_an_environment():
    assert set(COMPOSE["secrets"]) == {"ray_token", "grafana_password"}
    assert all("file" in secret for secret in COMPOSE["secrets"].values())
    for service in COMPOSE["services"].values():
        for name in service.get("environment", {}):
            assert not any(word in name for word in ("PASSWORD", "TOKEN", "KEY")) or name.endswith(("_PATH", "__FILE"))


def test_a_gateway_drains_for_less_time_than_its_container_is_given():
    gateway = COMPOSE["services"]["gateway-1"]
    assert float(gateway["environment"]["SEXTANT_DRAIN_SECONDS"]) < float(gateway["stop_grace_period"].rstrip("s"))


def test_with_the_overlay_each_family_has_its_gpu_and_ray_knows_of_it():
    merged = composed(ROOT / "docker-compose.yml", DEPLOY / "compose.gpu.yml")["services"]
    config = ClusterConfig.load(DEPLOY / "cluster/cluster.gpu.yaml")
    assert f"/etc/sextant/{'cluster.gpu.yaml'}" in merged["head"]["command"]
    for family in WORKERS:
        (device,) = merged[family]["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]
        command = merged[family]["command"]
        offered = float(command[command.index("--num-gpus") + 1])
        assert offered == len(device["device_ids"]) == config.families[family].num_gpus
        assert config.families[family].providers == ("cuda",), "without its GPU it must not start"
        assert merged[family]["image"] != merged["gateway-1"]["image"]


def test_the_secrets_are_drawn_once_and_lie_where_only_their_owner_looks(tmp_path):
    directory = tmp_path / "secrets"
    script = [DEPLOY / "secrets.sh"]
    for _ in range(2):
        subprocess.run(script, env={"SEXTANT_SECRETS": str(directory), "PATH": "/usr/bin:/bin"}, check=True)
        drawn = {path.name: path.read_text() for path in directory.iterdir()}
        assert set(drawn) == {"ray_token", "grafana_password"}
        assert all(len(secret) == 64 for secret in drawn.values())
        assert directory.stat().st_mode & 0o777 == 0o700
        assert tmp_path.joinpath("first").exists() is False or tmp_path.joinpath("first").read_text() == str(drawn)
        tmp_path.joinpath("first").write_text(str(drawn))
