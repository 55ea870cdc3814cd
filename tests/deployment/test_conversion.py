"""Scaled layers stand for the ConvNet's, with whole numbers, hard resets and Poisson spikes too."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from deepstdp.backbones import build_network
from deepstdp.config import BackboneConfig
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.conversion import convert, fit_input, make_layer
from deepstdp.deployment.energy import ASSUMPTIONS, energy
from deepstdp.deployment.folding import Connection, fold
from deepstdp.deployment.inputs import Constant, InputCode
from deepstdp.deployment.layer_measures import measure_layers
from deepstdp.deployment.saved import load_network, save_network
from deepstdp.errors import UserError
from deepstdp.files import load_tensors, save_tensors


@pytest.fixture(scope="module")
def chain() -> list[Connection]:
    g = torch.Generator().manual_seed(0)
    shapes = [(6, 2, 3, 3), (8, 6, 4, 4), (10, 8, 4, 4)]
    geometry = [(1, 1, (2, 8, 8)), (2, 1, (6, 8, 8)), (1, 0, (8, 4, 4))]
    return [
        Connection(
            torch.randn(shape, generator=g) * (2 / np.prod(shape[1:])) ** 0.5,
            0.1 * torch.randn(shape[0], generator=g),
            *where,
        )
        for shape, where in zip(shapes, geometry, strict=True)
    ]


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(60, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def last_error(chain, images, **settings) -> float:
    config = ConversionConfig(**settings)
    network, _ = convert(chain, images[:40], config)
    return measure_layers(network, chain, images[40:], [config.timesteps])[0][-1].relative_error


def test_the_error_falls_with_time(chain, images):
    errors = [last_error(chain, images, timesteps=t) for t in (8, 32, 128, 512)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.03


def test_calibration_and_the_choice_of_scales_help(chain, images):
    plain = last_error(chain, images, scale="max", calibrate=False)
    chosen = last_error(chain, images, calibrate=False)
    assert last_error(chain, images) <= chosen <= plain
    assert last_error(chain, images) < 0.9 * plain


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({"weight_bits": 8}, 0.05),
        ({"weight_bits": 4}, 0.25),
        ({"reset": "hard"}, 0.5),
        ({"multispike": True}, 0.05),
        ({"start": "zero"}, 0.1),
        ({"input": "poisson"}, 0.25),
        ({"scale": 99.0}, 0.15),
    ],
)
def test_every_variant_tells_the_features(chain, images, settings, most):
    assert last_error(chain, images, timesteps=128, **settings) < most


def test_half_a_threshold_at_the_start_rounds_to_the_nearest(chain, images):
    """Started at zero and not helped by the bias, neurons fire half a spike too seldom."""
    network, _ = convert(chain, images[:40], ConversionConfig(scale="max", calibrate=False))
    first = network.layers[0]
    target = chain[0](images).relu()
    late = replace(first, start=0.0)
    means = [
        (layer.activations(layer.answer(Constant(images, 32))) - target).mean().item()
        for layer in (first, late)
    ]
    # The half spike is missing only where there are spikes.
    assert abs(means[0]) < 0.1 * abs(means[1])
    assert means[1] < 0


def test_whole_numbers_stay_within_their_bits(chain, images):
    config = ConversionConfig(weight_bits=5, input_bits=6)
    network, _ = convert(chain, images, config)
    for layer in network.layers:
        for values in (layer.connection.weight, layer.connection.bias):
            assert torch.equal(values, values.round())
        assert layer.connection.weight.abs().max() <= 15
        assert layer.threshold == int(layer.threshold) >= 1
        assert layer.start == layer.threshold // 2
    code = network.code.encode(images, 1)
    assert isinstance(code, Constant)
    assert code.values.abs().max() == 31
    assert torch.equal(code.values, code.values.round())


def test_a_layer_by_hand():
    connection = Connection(torch.tensor([[[[2.0]]]]), torch.tensor([3.0]), 1, 0, (1, 1, 1))
    layer = make_layer(connection, 5.0, 4.0, ConversionConfig())
    assert (layer.connection.weight.item(), layer.connection.bias.item()) == (2.5, 0.75)
    assert (layer.threshold, layer.start, layer.scale) == (1.0, 0.5, 4.0)
    # 7 / 2.5 is 2.8: the largest whole threshold is 2.
    whole = make_layer(connection, 5.0, 4.0, ConversionConfig(weight_bits=4))
    assert (whole.connection.weight.item(), whole.threshold, whole.start) == (5.0, 2.0, 1.0)
    late = make_layer(connection, 5.0, 4.0, ConversionConfig(start="zero", timesteps=10))
    assert (late.start, late.connection.bias.item()) == (0.0, pytest.approx(0.8))


def test_poisson_spikes_have_the_rates_and_their_images_keys(images):
    code = fit_input(images, ConversionConfig(input="poisson"))
    spikes = code.encode(images, 400)
    rates = spikes.float().mean(dim=1).permute(0, 3, 1, 2)
    torch.testing.assert_close(
        (rates[:, :2] - rates[:, 2:]) * code.scale, images, rtol=0, atol=0.12 * code.scale
    )
    assert torch.equal(code.encode(images[20:], 400, first=20), spikes[20:])


def test_batches_have_no_effect(chain, images, monkeypatch):
    config = ConversionConfig(weight_bits=8, input="poisson")
    network, _ = convert(chain, images[:40], config)
    whole = network.features(images, [8, 32])
    monkeypatch.setattr("deepstdp.deployment.network._MOST_BYTES", 7 * 8 * 8 * 6 * 32)
    for once, parts in zip(whole, network.features(images, [8, 32]), strict=True):
        assert torch.equal(once, parts)


def test_a_saved_network_is_the_same(chain, images, tmp_path):
    network, _ = convert(chain, images, ConversionConfig(reset="hard"))
    save_network(tmp_path / "n.safetensors", network)
    again = load_network(tmp_path / "n.safetensors")
    assert again.code == network.code
    assert torch.equal(again.features(images, [9])[0], network.features(images, [9])[0])


def test_layers_that_do_not_fit_are_no_network(chain, images, tmp_path):
    """Compiled code would read beyond their ends."""
    network, _ = convert(chain, images[:4], ConversionConfig(timesteps=4))
    for changes in ({"shape": (6, 9, 9)}, {"stride": 0}, {"weight": torch.zeros(8, 5, 4, 4)}):
        second = network.layers[1]
        wrong = replace(second, connection=replace(second.connection, **changes))
        layers = [network.layers[0], wrong, network.layers[2]]
        save_network(tmp_path / "n.safetensors", replace(network, layers=layers))
        with pytest.raises(UserError, match="holds no spiking network"):
            load_network(tmp_path / "n.safetensors")
    save_network(tmp_path / "n.safetensors", network)
    tensors, info = load_tensors(tmp_path / "n.safetensors")
    for changes in ({"reset": "firm"}, {"scale": 0.0}, {"stride": 1.5}, {"shape": [2, 8.5, 8]}):
        layers = [layer | changes for layer in info["layers"]]
        save_tensors(tmp_path / "n.safetensors", tensors, info | {"layers": layers})
        with pytest.raises(UserError, match="holds no spiking network"):
            load_network(tmp_path / "n.safetensors")


def test_where_few_are_active_the_scale_is_the_largest_and_said_to_be(chain, images):
    """Of a layer with 90 % zeros the median is no scale."""
    few = [replace(chain[0], bias=chain[0].bias - 4)]
    network, fits = convert(few, images, ConversionConfig(scale=50.0, calibrate=False))
    activations = few[0].activations(images)
    assert 0 < (activations > 0).float().mean() < 0.1
    assert fits[0].percentile == 100
    assert network.layers[0].scale == pytest.approx(activations.max().item())


def test_a_clipped_relu_sets_the_largest_scale(images):
    """At its ceiling a neuron says all that the ConvNet can, in as many steps as it has levels."""
    weight = torch.full((1, 2, 1, 1), 2.0)
    layer = Connection(weight, torch.zeros(1), 1, 0, (2, 8, 8), ceiling=1.5, levels=8)
    network, (fit,) = convert([layer], images.abs(), ConversionConfig(timesteps=8))
    assert network.layers[0].scale == 1.5
    assert fit.saturated == 0
    assert fit.relative_error < 1e-6


@pytest.mark.parametrize("batch_norm", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_paper_s_network(batch_norm):
    """Fifteen layers at a random start, and few steps."""
    g = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (12, 3, 32, 32), generator=g, dtype=torch.uint8)
    config = BackboneConfig(name="vgg15", batch_norm=batch_norm, sobel=True)
    convnet = build_network(config, images, n_clusters=5, seed=0)
    with torch.no_grad():
        convnet.train()(images / 255)  # settles BatchNorm
        shown = convnet.eval().front_end(images / 255)
        connections = fold(convnet.backbone, (2, 32, 32))
        network, _ = convert(connections, shown[:8], ConversionConfig(timesteps=16))
        measured = measure_layers(network, connections, shown[8:], [16])[0]
        (found,) = network.features(shown[8:], [16])
        assert found.shape == convnet.backbone(shown[8:]).shape
    assert len(measured) == sum(
        isinstance(m, nn.Conv2d | nn.Linear) for m in convnet.backbone.modules()
    )
    assert all(0 < layer.firing_rate < 1 for layer in measured)
    assert [layer.relative_error < 0.5 for layer in measured[:3]] == [True] * 3


def test_another_file_is_no_network(tmp_path):
    save_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)}, {})
    with pytest.raises(UserError, match="holds no spiking network"):
        load_network(tmp_path / "x.safetensors")


def test_operations_by_hand():
    """Two neurons that always fire before three: 2 spikes x 3 synapses in each of 5 steps."""
    first = Connection(torch.ones(2, 1, 1, 1), torch.zeros(2), 1, 0, (1, 1, 1))
    second = Connection(torch.ones(3, 2, 1, 1), torch.zeros(3), 1, 0, (2, 1, 1))
    images = torch.ones(4, 1, 1, 1)
    network, _ = convert([first, second], images, ConversionConfig(timesteps=5, scale="max"))
    counts = measure_layers(network, [first, second], images, [5])[0]
    assert [c.synaptic_operations for c in counts] == [0, 30]
    assert [c.macs for c in counts] == [10, 0]
    assert [c.firing_rate for c in counts] == [1, 1]
    record = energy(counts, 5, weight_bits=None)
    assert list(record["microjoules"]) == ["float32"]
    assert list(energy(counts, 5, weight_bits=8)["microjoules"]) == ["float32", "int8"]
    assert record["convnet_macs"] == 2 + 6
    float32 = record["microjoules"][ASSUMPTIONS[0].name]
    assert float32["convnet"] == pytest.approx(8 * 4.6e-6)
    assert float32["spiking"] == pytest.approx((30 * 0.9 + 10 * 4.6) * 1e-6)
    assert record["bias_additions"] == 0
    # Three neurons of the second layer add theirs in each step.
    biased = [
        replace(layer, connection=replace(layer.connection, bias=torch.ones(n)))
        for layer, n in zip(network.layers, (2, 3), strict=True)
    ]
    more = measure_layers(replace(network, layers=biased), [first, second], images, [5])[0]
    assert [c.bias_additions for c in more] == [0, 15]
    with_biases = energy(more, 5, None)["microjoules"]["float32"]["spiking"]
    assert with_biases == pytest.approx(float32["spiking"] + 15 * 0.9e-6)
    # Two currents, computed once, added to two membranes five times.
    assert float32["spiking_held"] == pytest.approx((30 * 0.9 + 2 * 4.6 + 10 * 0.9) * 1e-6)


@pytest.mark.parametrize("code", ["constant", "poisson"])
def test_what_is_counted_after_some_steps_is_what_a_shorter_run_counts(chain, images, code):
    network, _ = convert(chain, images, ConversionConfig(input=code, timesteps=8))
    at_once = measure_layers(network, chain, images, [3, 8])
    assert at_once == [measure_layers(network, chain, images, [n])[0] for n in (3, 8)]
    few, many = (sum(layer.synaptic_operations for layer in layers) for layers in at_once)
    assert 0 < few < many


def test_poisson_input_has_no_macs(chain, images):
    network, _ = convert(chain, images, ConversionConfig(input="poisson", timesteps=8))
    counts = measure_layers(network, chain, images, [8])[0]
    assert counts[0].macs == 0
    assert counts[0].synaptic_operations > 0
    assert sum(c.synapses for c in counts) == sum(c.n_synapses for c in chain)
    float32 = energy(counts, 8, None)["microjoules"]["float32"]
    assert float32["spiking"] == pytest.approx(float32["spiking_held"])


def test_codes_of_constants_are_real_or_whole():
    images = torch.tensor([[[[0.26, -0.5]]]])
    real = InputCode("constant", 1.0, None, 0).encode(images, 3)
    assert torch.equal(real.values, images)
    assert real.n_steps == 3
    whole = InputCode("constant", 0.5 / 7, 7, 0).encode(images, 3)
    assert whole.values.flatten().tolist() == [4, -7]


@pytest.mark.parametrize(
    "settings",
    [
        {"timesteps": 0},
        {"scale": 0.0},
        {"scale": 101.0},
        {"weight_bits": 1},
        {"n_images": 0},
        {"input_bits": 4},
        {"multispike": True, "reset": "hard"},
        {"learn": -1},
    ],
)
def test_settings_are_checked(settings):
    with pytest.raises(UserError, match=next(iter(settings))):
        ConversionConfig(**settings)
