"""The champion in MLflow: raw features in, the network's own probabilities out, wherever it is loaded or served."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag
from mlflow.exceptions import MlflowException

from champions import confirmed, fitted_digits
from ridgeline.data import Scaler, load_splits
from ridgeline.stack.fitted import Fitted, load_fitted
from ridgeline.tracking import Tracker, store_uri
from ridgeline.tracking.champion import Registered, model_name, register_champion, why_it_stays
from test_tracking import configuration

SPACE = {
    "space.regularization.l2": "tag(log, interval(1e-06, 0.1))",
    "space.regularization.dropout": "interval(0, 0.6)",
}


@pytest.fixture(scope="module")
def digits_network():
    return fitted_digits()


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return configuration(tmp_path_factory.mktemp("runs of a champion"))


@pytest.fixture(scope="module")
def client(config):
    """Of the store, which MLflow's own functions use too, as a user's would who has set it."""
    uri = store_uri(config)
    mlflow.set_tracking_uri(uri)
    yield MlflowClient(uri, registry_uri=uri)
    mlflow.set_tracking_uri(None)


@pytest.fixture(scope="module")
def study_run(config, digits_network, client):
    fitted, _ = digits_network
    with Tracker(config) as tracker:
        study = tracker.start_study("lambda", config, load_splits(fitted.config.data).description, SPACE)
        study.set_tags({"mlflow.note.content": "What was searched."})
        study.log_epoch(128, {"trials/complete": 120.0, "trials/pruned": 7.0, "trials/failed": 1.0})
        study.finish("COMPLETE")
        return study.id


def register(config, run_id, fitted, raw_NI, **verdict) -> Registered:
    mlflow.set_tracking_uri("sqlite:////proc/nowhere/mlflow.db")  # MLflow's global store is none of our business
    try:
        with Tracker(config) as tracker:
            return register_champion(tracker, run_id, fitted, raw_NI[:2], confirmed(fitted.config, "lambda", **verdict))
    finally:
        mlflow.set_tracking_uri(store_uri(config))


@pytest.fixture(scope="module")
def registered(config, study_run, digits_network):
    return register(config, study_run, *digits_network)


def network_probabilities_NC(fitted: Fitted) -> np.ndarray:
    """Of the validation split as the search saw it, by the network as it was trained."""
    x_NI = load_splits(fitted.config.data).validation.x_NI
    network = fitted.config.network.build((64,), 10)
    network.load_state_dict(dict(fitted.weights))
    with torch.no_grad():
        return torch.softmax(network.eval()(x_NI).double(), dim=1).numpy()


def version_of_alias(client):
    return str(client.get_model_version_by_alias("ridgeline-digits", "champion").version)


def test_the_model_by_its_alias_answers_raw_features_with_the_networks_probabilities(
    registered, digits_network, client
):
    fitted, raw_NI = digits_network
    assert registered.name == "ridgeline-digits"
    assert version_of_alias(client) == registered.version
    model = mlflow.pyfunc.load_model("models:/ridgeline-digits@champion")
    answered_NC = model.predict(raw_NI)
    assert answered_NC.shape == (len(raw_NI), 10)
    np.testing.assert_allclose(answered_NC, network_probabilities_NC(fitted), atol=1e-6, rtol=0)
    assert answered_NC.std() > 0.05  # it does tell them apart


@pytest.fixture(scope="module")
def other(digits_network):
    fitted, _ = digits_network
    return replace(fitted, weights={name: -tensor for name, tensor in fitted.weights.items()})


def test_a_models_name_can_stand_in_an_address() -> None:
    assert model_name("my_churn.v2") == "ridgeline-my_churn.v2"
    assert model_name("kunden export (neu)") == "ridgeline-kunden_export__neu_"


def test_the_same_confirm_again_makes_no_other_version(config, study_run, registered, digits_network, client):
    again = register(config, study_run, *digits_network)
    assert (again.version, again.is_new) == (registered.version, False)
    assert len(client.search_model_versions("name='ridgeline-digits'")) == 1
    assert "as the same confirm registered it before" in again.sentence


def test_the_alias_stays_with_the_stronger_verdict(config, study_run, registered, digits_network, other, client):
    _, raw_NI = digits_network
    weaker = register(config, study_run, other, raw_NI, word="no difference shown", seeds=50)
    assert int(weaker.version) > int(registered.version)
    assert weaker.holder == registered.version == version_of_alias(client)
    stays = f"models:/ridgeline-digits@champion stays version {registered.version}, whose verdict is stronger (helps)."
    assert stays in weaker.sentence
    note = client.get_run(study_run).data.tags["mlflow.note.content"]
    assert f"ridgeline-digits, version {weaker.version}](" in note
    assert "without the alias" in note
    register(config, study_run, *digits_network)


def test_the_alias_moves_to_a_verdict_at_least_as_strong(config, study_run, registered, digits_network, other, client):
    fitted, raw_NI = digits_network
    again = register(config, study_run, other, raw_NI)
    assert again.is_new
    assert version_of_alias(client) == again.version
    first = mlflow.pyfunc.load_model(f"models:/ridgeline-digits/{registered.version}").predict(raw_NI)
    latest = mlflow.pyfunc.load_model("models:/ridgeline-digits@champion").predict(raw_NI)
    np.testing.assert_allclose(first, fitted.predict(raw_NI), atol=1e-6)
    np.testing.assert_allclose(latest, other.predict(raw_NI), atol=1e-6)
    client.set_registered_model_alias("ridgeline-digits", "champion", registered.version)
    register(config, study_run, *digits_network)


HELPS_20 = {"ridgeline.verdict": "helps", "ridgeline.seeds": "20", "ridgeline.test_hash": "a"}


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        ({}, True),
        ({"ridgeline.seeds": "21"}, True),
        ({"ridgeline.seeds": "3"}, False),
        ({"ridgeline.seeds": "3", "ridgeline.test_hash": "b"}, True),  # other examples: seeds are no measure
        ({"ridgeline.verdict": "no difference shown", "ridgeline.seeds": "50"}, False),
        ({"ridgeline.verdict": "no difference shown", "ridgeline.test_hash": "b"}, False),
        ({"ridgeline.verdict": "no regularization chosen"}, False),
    ],
)
def test_how_strong_a_verdict_is_goes_by_its_word_then_by_seeds_on_the_same_test_split(change, moves):
    holder = ModelVersion("m", "1", 0, tags=[ModelVersionTag(key, value) for key, value in HELPS_20.items()])
    assert (why_it_stays(holder, HELPS_20 | change) is None) == moves
    nobody = ModelVersion("m", "1", 0, tags=[])
    assert why_it_stays(nobody, HELPS_20 | change) is None


@pytest.mark.parametrize(
    "given",
    [
        np.float64,
        np.int64,
        np.uint8,
        pd.DataFrame,
        lambda raw_NI: pd.DataFrame(raw_NI.astype(int), columns=[f"pixel {i}" for i in range(64)]),
        lambda raw_NI: raw_NI.tolist(),
        lambda raw_NI: pd.DataFrame(raw_NI).astype(object),
    ],
)
def test_a_champion_takes_every_kind_of_numbers(given, registered, digits_network, client):
    fitted, raw_NI = digits_network
    model = mlflow.pyfunc.load_model(f"models:/ridgeline-digits/{registered.version}")
    asked = raw_NI[:3].astype(given) if isinstance(given, type) and issubclass(given, np.number) else given(raw_NI[:3])
    np.testing.assert_array_equal(model.predict(asked), fitted.predict(raw_NI[:3]))


@pytest.mark.parametrize("given", [[["a"] * 64], pd.DataFrame([["a"] * 64]), [[1j] * 64]])
def test_a_champion_refuses_what_is_not_numbers(given, registered, client):
    model = mlflow.pyfunc.load_model(f"models:/ridgeline-digits/{registered.version}")
    with pytest.raises(MlflowException, match="numbers") as refused:
        model.predict(given)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_the_model_holds_safetensors_and_code_and_no_pickle(registered, tmp_path, client):
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/ridgeline-digits/{registered.version}"))
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    files = {name: path for name, path in files.items() if "__pycache__" not in name}  # of whoever loaded it before
    suffixes = {path.suffix for path in files.values()}
    of_the_code = {".py", ".pyi", ".typed", ".html", ".css", ".js"}
    assert suffixes <= {"", ".yaml", ".json", ".txt", ".md", ".safetensors"} | of_the_code, suffixes
    assert {"artifacts/champion/weights.safetensors", "artifacts/champion/config.yaml", "README.md"} <= set(files)
    needed = files["requirements.txt"].read_text().split()
    assert [line.split("==")[0] for line in needed] == ["mlflow", "torch", "numpy", "safetensors", "PyYAML"]
    others = [path for path in files.values() if path.suffix != ".safetensors"]  # which begin with any length
    assert not any(path.read_bytes().startswith(b"\x80") for path in others)  # a pickle under another name


def test_the_signature_refuses_a_wrong_number_of_features(registered, digits_network, client):
    _, raw_NI = digits_network
    model = mlflow.pyfunc.load_model("models:/ridgeline-digits@champion")
    with pytest.raises(MlflowException, match=r"\(3, 63\) does not match expected shape \(-1, 64\)"):
        model.predict(raw_NI[:3, :63])
    assert model.metadata.signature.outputs.inputs[0].shape == (-1, 10)
    np.testing.assert_array_equal(model.input_example, raw_NI[:2])


def test_the_study_and_the_version_lead_to_each_other_and_to_the_data(registered, study_run, digits_network, client):
    version = client.get_model_version("ridgeline-digits", registered.version)
    hash_ = load_splits(digits_network[0].config.data).description.hash
    assert version.run_id == study_run
    assert (version.tags["ridgeline.study"], version.tags["ridgeline.trial"]) == ("lambda", "7")
    assert (version.tags["ridgeline.data.hash"], version.tags["ridgeline.verdict"]) == (hash_, "helps")
    run = client.get_run(study_run)
    assert run.data.tags["ridgeline.champion"].startswith("ridgeline-digits/")
    assert run.data.metrics["verdict/best/test_error"] == 0.02
    (logged,) = [output for output in run.outputs.model_outputs if output.model_id in version.source]
    model = client.get_logged_model(logged.model_id)
    assert str(model.status) == "READY"
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "ridgeline-digits", "version": "1"}]
    assert {metric.key: metric.value for metric in model.metrics}["verdict/best/test_error"] == 0.02
    assert model.params["regularization.dropout"] == "0.2"


def test_the_studys_description_begins_with_the_latest_verdict(registered, study_run, client):
    note = client.get_run(study_run).data.tags["mlflow.note.content"]
    verdict = "**Confirmed.** Regularization helps: test error 2.00% against 3.00%."
    assert note.startswith(f"{verdict} The champion is [ridgeline-digits, version ")
    assert note.count("Confirmed") == 1
    assert note.endswith("What was searched.")


def test_the_card_says_what_was_searched_found_and_measured_and_what_not(registered, client):
    text = client.get_model_version("ridgeline-digits", registered.version).description
    folder = mlflow.artifacts.download_artifacts(f"models:/ridgeline-digits/{registered.version}/README.md")
    card = Path(folder).read_text()
    assert card == f"# ridgeline-digits\n\n{text}"
    assert text.startswith("Regularization helps")
    for words in (
        "Regularization helps: test error 2.00% against 3.00%.",
        "| error | 2.00% (1.60% to 2.40%) | 3.00% (2.60% to 3.40%) |",
        "error -1.00 points (-1.40 to -0.60), p = 0.0123 (a named test)",
        "1078 train, 360 validation and 359 test examples, 64 features, 10 classes",
        "classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9: the columns of the answer in their order)",
        "The baseline is the champion's without regularization.dropout=0.2.",
        "128 trials (120 complete, 7 pruned, 1 failed)",
        "| regularization.l2 | tag(log, interval(1e-06, 0.1)) | 0.0001235 |",
        "| regularization.dropout | interval(0, 0.6) | 0.2 |",
        "they were looked at before, once.",
        "the weights of one of them, seed 11",
        "models:/ridgeline-digits@champion",
    ):
        assert words in card, words


def test_a_configuration_in_a_model_that_names_a_foreign_target_is_refused(digits_network, tmp_path):
    digits_network[0].save(tmp_path)
    file = tmp_path / "config.yaml"
    file.write_text(file.read_text() + "evil:\n  _target_: os.system\n")
    with pytest.raises(ValueError, match=r"got evil\._target_=os\.system") as error:
        load_fitted(tmp_path)
    assert "\n" not in str(error.value)


def test_a_constant_feature_and_one_example_are_no_special_case(digits_network):
    fitted, raw_NI = digits_network
    scaler = Scaler(fitted.scaler.mean_I, np.ones(64, np.float32))
    one = Fitted(fitted.config, fitted.weights, scaler, fitted.shape).predict(raw_NI[:1])
    assert one.shape == (1, 10)
    assert one.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.verify
def test_the_model_brings_its_own_code(registered, digits_network, client, config, tmp_path):
    fitted, raw_NI = digits_network
    np.save(tmp_path / "x.npy", raw_NI)
    program = (
        "import sys, mlflow, numpy as np; from pathlib import Path\n"
        "assert 'ridgeline' not in sys.modules\n"
        "folder = Path('model').absolute(); folder.mkdir()\n"
        "model = mlflow.pyfunc.load_model('models:/ridgeline-digits@champion', dst_path=str(folder))\n"
        "np.save('p.npy', model.predict(np.load('x.npy')))\n"
        "import ridgeline; assert folder in Path(ridgeline.__file__).parents, ridgeline.__file__\n"
        "heavy = {'pytorch_lightning', 'optuna', 'hydra', 'omegaconf', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"MLFLOW_TRACKING_URI": store_uri(config)}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, env=environment)
    np.testing.assert_allclose(np.load(tmp_path / "p.npy"), fitted.predict(raw_NI), atol=1e-6)


@pytest.fixture
def serving(registered, config, tmp_path):
    """`mlflow models serve` of the champion; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["-m", "models:/ridgeline-digits@champion", "--env-manager", "local", "--port", str(port)]
    command = [sys.executable, "-m", "mlflow", "models", "serve", *options]
    environment = os.environ | {"MLFLOW_TRACKING_URI": store_uri(config)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"  # it starts uvicorn by name
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        for _ in range(900):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=1):
                break
            assert process.poll() is None, (tmp_path / "serve.log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait()


@pytest.mark.verify
def test_a_served_champion_answers_http_with_the_networks_probabilities(serving, digits_network):
    fitted, raw_NI = digits_network

    def ask(inputs):
        body = json.dumps({"inputs": inputs}).encode()
        request = urllib.request.Request(serving, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return np.array(json.load(answer)["predictions"])

    answered_NC = ask(raw_NI.tolist())
    np.testing.assert_allclose(answered_NC, network_probabilities_NC(fitted), atol=1e-6, rtol=0)
    with pytest.raises(urllib.error.HTTPError) as error:
        ask(raw_NI[:1, :5].tolist())
    assert error.value.code == 400
    assert "expected shape" in error.value.read().decode()


@pytest.mark.verify
def test_a_champion_is_registered_on_a_server(digits_network, tmp_path):
    from test_tracking_server import Server

    fitted, raw_NI = digits_network
    server = Server(tmp_path)
    server.start()
    before = mlflow.get_tracking_uri()
    try:
        config = configuration(tmp_path / "runs", uri=server.uri)
        with Tracker(config) as tracker:
            study = tracker.start_study("served", config, load_splits(fitted.config.data).description, SPACE)
            done = register_champion(tracker, study.id, fitted, raw_NI[:2], confirmed(fitted.config))
            study.finish("COMPLETE")
        assert done == Registered("ridgeline-digits", "1", True, "1", None)
        mlflow.set_tracking_uri(server.uri)
        model = mlflow.pyfunc.load_model("models:/ridgeline-digits@champion")
        np.testing.assert_allclose(model.predict(raw_NI), fitted.predict(raw_NI), atol=1e-6)
        assert not (tmp_path / "runs").exists()
    finally:
        mlflow.set_tracking_uri(before)
        server.stop()
        shutil.rmtree(tmp_path / "artifacts", ignore_errors=True)
