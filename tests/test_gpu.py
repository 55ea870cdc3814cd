"""What needs a GPU to be known: run with ``pytest -m gpu``."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.datasets import make_blobs

from deepstdp.backbones import build_network
from deepstdp.clustering.lloyd import lloyd
from deepstdp.config import BackboneConfig
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.conversion import convert
from deepstdp.deployment.folding import fold
from deepstdp.deployment.layer import IFLayer
from deepstdp.features.whitening import exact_whitening, polar_factor, subspace_whitening
from tests.helpers import correlated

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def deepstdp(*arguments: str) -> str:
    command = [sys.executable, "-m", "deepstdp", *arguments]
    return subprocess.run(
        command, timeout=500, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def train(run, *options: str) -> list[dict]:
    deepstdp("train", "--training.epochs", "3", "--run_dir", str(run), *options)
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "options",
    [(), ("--precision", "bf16-mixed"), ("--precision", "bf16-mixed", "--compile", "true")],
    ids=["single", "bf16", "compiled"],
)
def test_a_run_on_the_gpu_learns_what_one_on_the_cpu_learns(tmp_path, options):
    on_gpu = train(tmp_path / "gpu", "--accelerator", "cuda", *options)
    on_cpu = train(tmp_path / "cpu", "--accelerator", "cpu")
    assert [e["loss"] for e in on_gpu] == pytest.approx([e["loss"] for e in on_cpu], rel=0.05)
    assert on_gpu[-1]["nmi_labels"] == pytest.approx(on_cpu[-1]["nmi_labels"], abs=0.05)


@pytest.mark.parametrize("last_layer", ["features", "clusters"])
def test_a_run_on_the_gpu_reaches_a_file_that_verifies(tmp_path, last_layer):
    run, out = str(tmp_path / "run"), str(tmp_path / "run.nir")
    train(tmp_path / "run", "--accelerator", "cuda")
    deepstdp("export", run, "--target", "snntorch", "--last_layer", last_layer, "--out", out)
    assert "0 of" in deepstdp("verify", out, "--run", run)


def test_k_means_on_the_gpu_is_scikit_learns():
    x, _ = make_blobs(2000, 16, centers=40, cluster_std=6.0, random_state=0)
    start = x[np.random.default_rng(0).permutation(2000)[:40]]
    theirs = SklearnKMeans(40, init=start, n_init=1, max_iter=20, tol=0, algorithm="lloyd").fit(x)
    centres, labels, _ = lloyd(torch.from_numpy(x).cuda(), torch.from_numpy(start).cuda(), 20)
    assert np.allclose(centres.cpu().numpy(), theirs.cluster_centers_, atol=1e-6)
    assert np.array_equal(labels.cpu().numpy(), theirs.labels_)


def test_whitening_on_the_gpu_spans_what_it_spans_on_the_cpu():
    x = correlated(400, 60)
    for fit in (lambda x: exact_whitening(x, 8), lambda x: subspace_whitening(x, 8, 3)):
        here, there = fit(x), fit(x.cuda())
        cosines = torch.linalg.svdvals(here.basis.T @ there.basis.cpu())
        assert cosines.min() > 0.99
        assert there.explained_variance == pytest.approx(here.explained_variance, abs=1e-4)
    matrix = correlated(8, 8)
    assert torch.allclose(polar_factor(matrix.cuda()).cpu(), polar_factor(matrix), atol=1e-6)


@pytest.mark.parametrize("weight_bits", [8, None])
def test_a_spiking_network_fires_on_the_gpu_as_on_the_cpu(weight_bits):
    """Whole numbers to the spike; real ones but where a membrane lies at its threshold."""
    g = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (40, 3, 32, 32), generator=g, dtype=torch.uint8)
    network = build_network(BackboneConfig("vgg-small"), images, n_clusters=5, seed=0).eval()
    config = ConversionConfig(weight_bits=weight_bits)
    with torch.no_grad():
        shown = network.front_end(images / 255)
        chain = fold(network.backbone, tuple(shown.shape[1:]))
        spiking, _ = convert(chain, shown[:20], config)
        here = spiking.counts(shown, config.timesteps)
        on_gpu = replace(spiking, layers=[on_the_gpu(layer) for layer in spiking.layers])
        there = on_gpu.counts(shown.cuda(), config.timesteps).cpu()
    if weight_bits is None:
        differs = (here - there).abs()
        assert (differs > 0).float().mean() < 0.002
        assert differs.max() <= 1
    else:
        assert torch.equal(here, there)


def on_the_gpu(layer: IFLayer) -> IFLayer:
    connection = layer.connection
    weight, bias = connection.weight.cuda(), connection.bias.cuda()
    return replace(layer, connection=replace(connection, weight=weight, bias=bias))
