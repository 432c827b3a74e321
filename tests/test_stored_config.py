"""What is read back from a store may call only what is on a list; what is wrong with it is said in one line."""

import pytest
import yaml

from ridgeline.config import ConfigError, TrackingConfig, as_tree
from ridgeline.config.stored import check_targets, read_stored
from settings import small


def stored(**more):
    return yaml.safe_dump(as_tree(small(regularization__l2=0.25)) | more)


def test_a_stored_configuration_is_read_back_whole(tmp_path):
    (tmp_path / "config.yaml").write_text(stored())
    assert read_stored(tmp_path / "config.yaml") == small(regularization__l2=0.25)
    assert read_stored(stored()) == small(regularization__l2=0.25)


def test_what_belongs_to_the_study_is_not_used_and_may_name_its_sampler():
    sampler = {"name": "bayes", "sampler": {"_target_": "optuna.samplers.TPESampler"}}
    trial = {"study": "lambda", "number": 3, "parent_run": "run"}
    config = read_stored(stored(search=sampler, trial=trial, tracking={"experiment": "other"}))
    assert config == small(regularization__l2=0.25)


def test_a_configuration_from_before_predict_had_its_own_is_read():
    assert read_stored(stored(model=None, out=None, keep=[])) == small(regularization__l2=0.25)


def test_references_to_other_keys_are_resolved_and_nothing_else():
    stops = {"early_stopping": {"monitor": "${metric}", "patience": 3}}
    config = read_stored(stored(callbacks=stops, metric="val/error", runs="${oc.env:RIDGELINE_RUNS,mlruns}"))
    assert config.callbacks.early_stopping.monitor == "val/error"
    for refused in ("${oc.env:HOME}", "a${oc.decode:${metric}}", "${absent}"):
        with pytest.raises(ConfigError) as error:
            read_stored(stored(metric=refused))
        assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=r"got network\._target_=os\.system"):
        read_stored(stored(network={"_target_": "${metric}"}, metric="os.system"))


@pytest.mark.parametrize("target", ["torch.nn.Linear", "torch.relu", "ridgeline.networks.mlp.Network"])
def test_targets_of_the_listed_packages_are_let_pass(target):
    check_targets({"network": {"_target_": target}})


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("os.system", "network._target_"),
        ("torchevil.run", "network._target_"),
        ("builtins.eval", "network._target_"),
        ("torch", "network._target_"),
        ("torch.os.system", "network._target_"),  # torch has imported it
        ("ridgeline.tracking.provenance.subprocess.run", "network._target_"),
        ("torch.nn.Module.__class__.__subclasses__", "network._target_"),
    ],
)
def test_other_targets_are_refused_in_one_line_that_says_how_to_allow_them(target, key):
    with pytest.raises(ConfigError) as error:
        read_stored(stored(network={"_target_": target}))
    line = str(error.value)
    assert f"got {key}={target}" in line
    assert "To allow it: 'tracking.allowed_targets=[" in line
    assert "\n" not in line


def test_targets_are_found_wherever_they_are():
    with pytest.raises(ConfigError, match=r"callbacks\[1\]\.inner\._target_=evil\.run"):
        check_targets({"callbacks": [{}, {"inner": {"_target_": "evil.run"}}]})


def test_a_user_adds_packages_by_name_with_or_without_the_dot():
    target = {"network": {"_target_": "json.decoder.JSONDecoder"}}
    for allowed in (["json."], ["json"], ["json.decoder."]):
        check_targets(target, allowed)
    for allowed in (["js."], ["js"], ["json.dec"]):
        with pytest.raises(ConfigError):
            check_targets(target, allowed)


@pytest.mark.parametrize("prefix", ["", ".", "a b.", "*"])
def test_a_prefix_that_is_no_package_is_refused(prefix):
    with pytest.raises(ConfigError, match=r"tracking\.allowed_targets"):
        TrackingConfig(allowed_targets=(prefix,)).check()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", "cannot be read"),
        ("- 1\n- 2", "is a group of keys"),
        ("!!python/object/apply:os.system ['true']", "cannot be read"),
        ("", "is a group of keys"),
        (stored(netwrk={}), "There is no key `netwrk`. Did you mean network"),
    ],
)
def test_what_is_no_configuration_is_refused_in_one_line(text, says, tmp_path):
    for source in (text, tmp_path / "config.yaml"):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(ConfigError) as error:
            read_stored(source)
        assert says in str(error.value)
        assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.yaml cannot be read: No such file"):
        read_stored(tmp_path / "nothing.yaml")
