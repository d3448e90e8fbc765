"""deploy/kuberay without a Kubernetes: built-in kinds against Kubernetes' own schemas, pod templates too; the rest by
what Ray Serve and Sextant make of it. KubeRay's and the Prometheus operator's own kinds have no schema here.
"""

from typing import Any

import kubernetes_validate
import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from sextant.families.family import FAMILIES
from sextant.replicas.applications import application
from sextant.replicas.cluster import APP_PREFIX
from sextant.replicas.config import ClusterConfig, ConfigError
from sextant.replicas.environment import _SWITCHES
from tests.deploy.places import DEPLOY

BUILT_IN = ("v1", "apps/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1")
DOCUMENTS: list[dict[str, Any]] = [
    document
    for path in sorted((DEPLOY / "kuberay").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = [document for document in DOCUMENTS if document["kind"] == kind]
    return found


RAY_SERVICE = of_kind("RayService")["spec"]
CLUSTER = RAY_SERVICE["rayClusterConfig"]
GROUPS = {group["groupName"]: group for group in CLUSTER["workerGroupSpecs"]}
SERVE = yaml.safe_load(RAY_SERVICE["serveConfigV2"])


def validate(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.36", strict=True)


@pytest.mark.parametrize(
    "document",
    [document for document in DOCUMENTS if document["apiVersion"] in BUILT_IN],
    ids=lambda document: document["kind"],
)
def test_kubernetes_accepts_the_kinds_it_knows(document):
    validate(document)


@pytest.mark.parametrize("group", [CLUSTER["headGroupSpec"], *GROUPS.values()], ids=["head", *GROUPS])
def test_kubernetes_accepts_the_pods_of_ray(group):
    labels = group["template"]["metadata"]["labels"]
    spec = {"selector": {"matchLabels": labels}, "template": group["template"]}
    validate({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "pods"}, "spec": spec})


def test_a_wrong_field_would_be_noticed():
    wrong = yaml.safe_load(yaml.safe_dump(of_kind("Deployment")))
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(wrong)


def test_serve_accepts_the_applications_and_they_serve_what_is_served_elsewhere():
    ServeDeploySchema.model_validate(SERVE)
    served = {}
    for told in SERVE["applications"]:
        assert told["import_path"] == f"{application.__module__}:{application.__name__}"
        application(told["args"])
        config = ClusterConfig.model_validate(told["args"])
        ((family, options),) = config.families.items()
        assert told["name"] == APP_PREFIX + family, "by this name gateways look for it"
        assert config.replica_listen == "node"
        served[family] = options.models
    plain = ClusterConfig()
    assert served == {family: plain.families[family].models for family in plain.deployed}
    (gateway,) = of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    environment = {variable["name"]: variable.get("value") for variable in gateway["env"]}
    assert environment["SEXTANT_HYBRIDS"] == ",".join(plain.distributed_hybrids)


def test_an_application_is_one_family():
    with pytest.raises(ConfigError, match="one family"):
        application({})


def test_every_family_has_a_group_of_workers_with_room_for_its_replicas():
    assert set(GROUPS) == set(FAMILIES)
    for told in SERVE["applications"]:
        ((family, options),) = ClusterConfig.model_validate(told["args"]).families.items()
        room = yaml.safe_load(yaml.safe_load(GROUPS[family]["rayStartParams"]["resources"]))
        assert room == options.resources
        assert GROUPS[family]["replicas"] == options.replicas


def test_nodes_start_with_the_switches_that_every_process_of_ours_sets():
    for group in (CLUSTER["headGroupSpec"], *GROUPS.values()):
        (container,) = group["template"]["spec"]["containers"]
        set_here = {variable["name"]: variable["value"] for variable in container["env"]}
        assert set_here == {name: value for name, value in _SWITCHES.items() if name != "RAY_AUTH_MODE"}
    assert CLUSTER["authOptions"]["mode"] == "token"


def test_monitors_and_scaling_find_what_they_look_for():
    gateway = of_kind("Deployment")
    labels = gateway["spec"]["template"]["metadata"]["labels"]
    assert of_kind("Service")["spec"]["selector"].items() <= labels.items()
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert (
        of_kind("ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
        <= of_kind("Service")["metadata"]["labels"].items()
    )
    ports = {port["name"]: port["port"] for port in of_kind("Service")["spec"]["ports"]}
    assert {endpoint["port"] for endpoint in of_kind("ServiceMonitor")["spec"]["endpoints"]} <= set(ports)
    scaler = of_kind("HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == gateway["metadata"]["name"]
    (metric,) = scaler["metrics"]
    from tests.deploy.metric_names import existing

    assert metric["pods"]["metric"]["name"] in existing()


def test_the_gateway_is_given_the_time_that_it_drains():
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    environment = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
    assert float(environment["SEXTANT_DRAIN_SECONDS"]) < pod["terminationGracePeriodSeconds"]
