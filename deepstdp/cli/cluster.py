"""``deepstdp cluster``."""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser

from deepstdp.cli.options import command_parser, require_folder
from deepstdp.cluster_features import cluster_with_kmeans, cluster_with_stdp
from deepstdp.clustering import STDPClustering
from deepstdp.clustering.stdp.estimator import SETTINGS
from deepstdp.config import STDPConfig
from deepstdp.config_files import parse
from deepstdp.data.feature_file import read_features
from deepstdp.errors import UserError
from deepstdp.files import labels_csv, write_atomically
from deepstdp.progress import ConsoleProgress
from deepstdp.tables import number_table


def cluster_parser() -> ArgumentParser:
    """Options of ``deepstdp cluster``."""
    parser = command_parser("cluster", "features.npz --n_clusters 30 --compare kmeans")
    parser.add_argument(
        "features", help=".npy, .npz or .csv of (N, P) features or (N, T, D) spikes"
    )
    parser.add_argument("--n_clusters", type=int, default=8, help="number of clusters (K)")
    parser.add_argument("--max_iter", type=int, default=10, help="passes over the samples")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers")
    parser.add_argument("--labels", type=str | None, help="file of true labels, for the summary")
    parser.add_argument("--compare", type=Literal["kmeans"] | None, help="also cluster by k-means")
    parser.add_argument("--out", type=str | None, help="CSV file for the clusters")
    parser.add_argument("--model", type=str | None, help="file to save the estimator to")
    parser.add_class_arguments(STDPConfig, "stdp", skip={"n_passes", "persistent"})
    return parser


def cluster(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp cluster``."""
    args = parse(parser, arguments)
    for option in ("out", "model"):
        require_folder(option, getattr(args, option))
    if not 0 <= args.seed < 2**32:
        raise UserError(f"--seed must lie between 0 and 2**32 - 1, not {args.seed}")
    data = read_features(Path(args.features), Path(args.labels) if args.labels else None)
    if args.compare and data.features.ndim != 2:
        raise UserError("k-means takes features, not spikes: leave --compare out")
    settings = {name: getattr(args.stdp, name) for name in SETTINGS}
    estimator = STDPClustering(
        args.n_clusters, max_iter=args.max_iter, random_state=args.seed, **settings
    )
    with ConsoleProgress() as progress, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clusters, quality = cluster_with_stdp(data, estimator, progress)
        columns = {"stdp": quality}
        if args.compare:
            with progress.busy("k-means"):
                columns["kmeans"] = cluster_with_kmeans(data, args.n_clusters, args.seed)[1]
    print(number_table(columns))
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    if args.out:
        names = map(str, range(len(clusters)))
        write_atomically(Path(args.out), labels_csv("cluster", names, clusters, key="sample"))
        print(f"clusters: {args.out}")
    if args.model:
        estimator.save(args.model)
        print(f"estimator: {args.model}")
