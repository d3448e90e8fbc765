"""The cluster's configuration file."""

from pathlib import Path

import pytest

from sextant.replicas.config import ClusterConfig, ConfigError

DEPLOY = Path(__file__).parents[2] / "deploy"


def load(tmp_path: Path, text: str) -> ClusterConfig:
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    return ClusterConfig.load(file)


def test_without_a_file_the_text_models_are_served_on_the_cpu():
    config = ClusterConfig.load(None)
    assert config.families["transformer"].providers == ("cpu",)
    assert config.families["transformer"].num_gpus == 0


def test_the_file_in_deploy_says_what_the_defaults_are():
    assert ClusterConfig.load(DEPLOY / "cluster.yaml") == ClusterConfig()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("families: {transformer: {models: [a], providers: [cuda]}}", "needs num_gpus above 0"),
        ("families: {transformer: {models: [a], num_gpus: 0.5}}", "the GPU would lie idle"),
        ("families: {transformer: {models: [a], num_gpus: 1.5, providers: [cuda]}}", "must be whole"),
        ("families: {transformer: {models: []}}", "families.transformer.models"),
        ("families: {nonesuch: {models: [a]}}", "'nonesuch' is unknown"),
        ("families: {transformer: {models: [a], replica: 2}}", "families.transformer.replica"),
        ("families: [", "cluster.yaml"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, text)


def test_a_missing_file_is_said_plainly(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        ClusterConfig.load(tmp_path / "none.yaml")


def test_a_gpu_share_with_a_memory_cap_reaches_the_sessions(tmp_path):
    config = load(
        tmp_path,
        "families: {transformer: {models: [a], num_gpus: 0.5, providers: [cuda, cpu], gpu_memory_limit_mb: 4096}}",
    )
    session = config.families["transformer"].session_config()
    assert session.providers == ("cuda", "cpu")
    assert session.gpu_memory_limit_bytes == 4096 * 2**20


def test_what_identifies_a_replica_changes_with_all_that_it_depends_on_but_not_with_their_number():
    def version(**options) -> str:
        families = {"gan": {"models": ["a"], **options}, "vae": {"models": ["b"]}}
        return ClusterConfig.model_validate({"families": families}).version("gan")

    assert version(replicas=3) == version(replicas=1) == version()
    different = [version(), version(revision="2"), version(models=["b"]), version(max_queue=7), version(num_cpus=2)]
    assert len(set(different)) == len(different)


def test_what_identifies_a_replica_does_not_depend_on_other_families():
    alone = ClusterConfig.model_validate({"families": {"gan": {"models": ["a"]}}})
    both = ClusterConfig.model_validate({"families": {"gan": {"models": ["a"]}, "vae": {"models": ["b"]}}})
    assert alone.version("gan") == both.version("gan")
