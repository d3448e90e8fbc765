"""What an operator sees: reflection, health, metrics, processes."""

import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from prometheus_client.parser import text_string_to_metric_families

from sextant.contract.v1 import guide_pb2, media_pb2, models_pb2
from tests.conftest import SENTENCE_MODEL, TEXT_MODEL, health
from tests.e2e.conftest import encode_request, probe_request, text_request

GRPCURL = Path(sys.executable).with_name("grpcurl")


def grpcurl(platform, *arguments: str) -> str:
    command = [str(GRPCURL), "-plaintext", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_grpcurl_lists_and_calls_the_services_by_reflection(platform):
    listed = grpcurl(platform, platform.target, "list").split()
    assert {"sextant.v1.Generation", "sextant.v1.Guide", "sextant.v1.Models", "grpc.health.v1.Health"} <= set(listed)
    answer = grpcurl(platform, "-d", '{"name": "minilm-l6-v2"}', platform.target, "sextant.v1.Models/GetModel")
    assert '"architecture": "bert"' in answer
    story = '{"prompt": "Say hello.", "text": {"maxTokens": 4}}'
    assert '"receipt"' in grpcurl(platform, "-d", story, platform.target, "sextant.v1.Generation/Generate")


def test_a_running_platform_tells_that_it_serves(platform):
    assert health(platform.target) == health_pb2.HealthCheckResponse.SERVING


def test_the_models_are_listed_with_their_parity_and_provider(stubs):
    models = {model.name: model for model in stubs.models.ListModels(models_pb2.ListModelsRequest()).models}
    assert {TEXT_MODEL, SENTENCE_MODEL, "probe"} <= set(models)
    text = models[TEXT_MODEL]
    assert text.family == models_pb2.FAMILY_TRANSFORMER
    assert 0 < text.parity.max_rel_error <= text.parity.tolerance
    assert list(text.providers) == ["CPUExecutionProvider"]
    assert text.deterministic
    scorers = stubs.models.ListModels(models_pb2.ListModelsRequest(task=models_pb2.TASK_KIND_SCORE)).models
    assert TEXT_MODEL in [model.name for model in scorers]


def test_the_guide_explains_its_choice(stubs):
    wanted = guide_pb2.DecideRequest(task=models_pb2.TASK_KIND_GENERATE, output=media_pb2.MODALITY_TEXT)
    decision = stubs.guide.Decide(wanted).decision
    assert decision.choice.model == TEXT_MODEL
    assert decision.rule.line > 0
    assert decision.rule.reason
    assert {rejection.model for rejection in decision.rejections} >= {SENTENCE_MODEL}
    impossible = guide_pb2.DecideRequest(task=models_pb2.TASK_KIND_GENERATE, output=media_pb2.MODALITY_LATENT)
    assert not stubs.guide.Decide(impossible).decision.HasField("choice")


def scrape(platform) -> str:
    pages = []
    for url in platform.metrics_urls:
        with urllib.request.urlopen(url) as page:
            pages.append(page.read().decode())
    return "".join(pages)


def test_requests_are_counted_by_model_and_outcome(platform, stubs):
    def count(code: str) -> float:
        total = 0.0
        for family in text_string_to_metric_families(scrape(platform)):
            for sample in family.samples:
                if sample.name == "sextant_requests_total" and sample.labels.get("code") == code:
                    total += sample.value
        return total

    ok, bad = count("OK"), count("INVALID_ARGUMENT")
    list(stubs.generation.Generate(probe_request(steps=2)))
    stubs.generation.Encode(encode_request("x"))
    with pytest.raises(grpc.RpcError):
        list(stubs.generation.Generate(text_request("")))
    assert count("OK") == ok + 2
    assert count("INVALID_ARGUMENT") == bad + 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_say_about_the_metrics(platform, stubs):
    list(stubs.generation.Generate(probe_request(steps=2)))
    for url in platform.metrics_urls:
        page = urllib.request.urlopen(url).read()
        checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    for page in platform.replica_metrics("transformer"):
        checked = subprocess.run(["promtool", "check", "metrics"], input=page.encode(), capture_output=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_serving_process_has_torch_loaded(platform):
    processes = [*platform.gateways(), *platform.replicas("transformer"), *platform.replicas("probe")]
    assert len(processes) == 6
    for process in processes:
        mapped = {Path(region.path).name for region in process.memory_maps()}
        assert not any(name.startswith(("libtorch", "libc10")) for name in mapped)
        assert any("onnxruntime" in name for name in mapped) or process in platform.gateways()
