from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.config import ClusteringConfig, Config, DataConfig, STDPConfig, TrainingConfig
from deepstdp.config_files import dump_config, load_config
from deepstdp.errors import UserError


def write(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_an_empty_file_is_the_defaults(tmp_path):
    assert load_config(write(tmp_path, "")) == Config()


def test_overrides_win_over_the_file(tmp_path):
    path = write(tmp_path, "training: {epochs: 3, batch_size: 7}\n")
    config = load_config(path, ["--training.epochs=5"])
    assert (config.training.epochs, config.training.batch_size) == (5, 7)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**40),
    classes=st.sampled_from(["all", "first-10"]) | st.lists(st.just("x"), min_size=1),
    image_size=st.none() | st.integers(4, 99),
    method=st.sampled_from(["stdp", "kmeans-warm", "none", "custom"]),
    init_args=st.dictionaries(st.sampled_from(["n", "tol"]), st.integers()),
    gain=st.just("auto") | st.floats(0.1, 9),
    rate=st.floats(1e-6, 1),
)
def test_a_dumped_config_reads_back_equal(
    tmp_path_factory, seed, classes, image_size, method, init_args, gain, rate
):
    custom = {"class_path": "a.B", "init_args": init_args} if method == "custom" else {}
    config = Config(
        seed=seed,
        data=DataConfig(source="a/b.zip", classes=classes, image_size=image_size),
        clustering=ClusteringConfig(method=method, **custom, stdp=STDPConfig(gain=gain)),
        training=TrainingConfig(learning_rate=rate),
    )
    path = tmp_path_factory.getbasetemp() / "config.yaml"
    path.write_text(dump_config(config))
    assert load_config(path, trust_code=True) == config


def test_a_dump_holds_every_setting():
    dumped = yaml.safe_load(dump_config(Config()))
    assert dumped["clustering"]["stdp"]["n_timesteps"] == 25
    assert dumped["augmentation"]["crop_scale"] == [0.6, 1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trainig: {epochs: 3}", "unknown key trainig; did you mean training?"),
        ("training: {epoch: 3}", "unknown key training.epoch; did you mean training.epochs?"),
        ("training: {lr: 3}", "did you mean training.learning_rate?"),
        ("clustering: {K: 3}", "did you mean clustering.n_clusters?"),
        ("clustering: {stdp: {tau: 3}}", "unknown key clustering.stdp.tau"),
        ("clustering: {n_timesteps: 3}", "did you mean clustering.stdp.n_timesteps?"),
        ("training: 3", "must hold settings"),
        ("training: {epochs:}", "training.epochs has no value"),
        ("clustering: {init_args: {a: 1}}", "init_args are for a clustering.class_path"),
        ("training: {epochs: many}", "training.epochs"),
        ("training: {epochs: -1}", "must not be negative"),
        ("clustering: {stdp: {gain: high}}", "gain"),
        ("clustering: {stdp: {gain: -2}}", "auto or above 0"),
        ("clustering: {method: k-means}", "method"),
        ("[1, 2]", "must hold 'key: value'"),
        ("a: [", "is not YAML"),
        ("1: 2", "must hold 'key: value'"),
        ("a: &a [1]\nb: *a", "aliases are not allowed"),
        ("a: " + "[" * 30 + "]" * 30, "nested more than 20 levels"),
        ("a: " + "[" * 100_000, "nested more than 20 levels"),
        ("seed: " + "9" * 5_000, "is not YAML"),
        ("seed: 2026-99-99", "is not YAML"),
        ("a: !!python/object/apply:os.getcwd []", "is not YAML"),
        ("#" * 300_000, "larger than 256 KiB"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, message):
    with pytest.raises(UserError) as error:
        load_config(write(tmp_path, text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("data", "validation_fraction", 1.5),
        ("data", "image_size", 2),
        ("data", "memory_gb", 0.0),
        ("data", "workers", -1),
        ("augmentation", "crop_scale", (0.5, 0.1)),
        ("augmentation", "crop_ratio", (0, 1)),
        ("augmentation", "flip", 2.0),
        ("augmentation", "hue", 0.7),
        ("reduction", "n_components", 0),
        ("clustering", "n_clusters", 0),
        ("training", "batch_size", 0),
        ("training", "learning_rate", 0.0),
        ("training", "dropout", 1.0),
        ("training", "momentum", -1.0),
        ("evaluation", "every", -1),
        ("evaluation", "knn_neighbours", 0),
        ("evaluation", "probe_inverse_regularisation", 0.0),
    ],
)
def test_values_out_of_range_are_refused(part, field, value):
    with pytest.raises(UserError, match=field):
        replace(getattr(Config(), part), **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("n_timesteps", 0), ("tau_mem", 0.0), ("eta", 1.5), ("alpha", -1.0), ("v_threshold", 0.0)],
)
def test_spiking_values_out_of_range_are_refused(field, value):
    with pytest.raises(UserError, match=field):
        STDPConfig(**{field: value})


def test_reading_a_config_does_not_change_the_folder_of_other_threads(tmp_path, monkeypatch):
    (tmp_path / "small.yaml").write_text(
        "training: {weight_decay: 1.0e-05}\ndata: {classes: [7, 8]}\n"
    )

    def changed(_):
        raise AssertionError("the current folder was changed")

    monkeypatch.setattr("os.chdir", changed)
    config = load_config(tmp_path / "small.yaml")
    assert config.training.weight_decay == 1e-05
    assert config.data.classes == [7, 8]
