"""WebDataset: tar archives in which the files of one sample stand under one name."""

import re
from collections.abc import Iterator
from pathlib import Path

from deepstdp.config import DataConfig
from deepstdp.data.file_tree import FileTree, image_names, read_text
from deepstdp.data.image_set import Dataset
from deepstdp.data.labelled_files import LabelledFile, load_splits, load_whole
from deepstdp.data.tar_tree import TarTree
from deepstdp.errors import UserError
from deepstdp.progress import Progress

_LABEL = "cls"
_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def find_shards(source: str) -> list[Path]:
    """The archives that a source names: one, a pattern in braces, or a folder of nothing else.

    Returns:
        Their paths in naming order, none if the source is something else.

    Raises:
        UserError: one is missing or compressed, or the braces hold neither a range nor a list.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        archives = _only_archives(path)
    elif "{" in source and source.endswith((".tar", *_COMPRESSED)) and not path.exists():
        archives = [Path(name) for name in expand_braces(str(path))]
    else:
        archives = [path] if path.name.endswith((".tar", *_COMPRESSED)) else []
    for archive in archives:
        if not archive.is_file():
            raise UserError(f"data.source: {archive} does not exist")
        if archive.name.endswith(_COMPRESSED):
            raise UserError(f"{archive} is compressed: decompress it to a .tar first")
    return sorted(archives)


def _only_archives(folder: Path) -> list[Path]:
    archives = []
    for path in folder.rglob("*"):
        if path.is_dir() or path.name.startswith("."):
            continue
        if not path.name.endswith((".tar", *_COMPRESSED)):
            return []
        archives.append(path)
    return archives


def expand_braces(pattern: str) -> list[str]:
    """``a-{08..10}`` to ``a-08``, ``a-09``, ``a-10``; ``{a,b}-1`` to ``a-1``, ``b-1``.

    Raises:
        UserError: braces that hold neither.
    """
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        return [pattern]
    head, tail = pattern[: match.start()], pattern[match.end() :]
    bounds = re.fullmatch(r"([0-9]{1,6})\.\.([0-9]{1,6})", match[1])
    if bounds and int(bounds[1]) <= int(bounds[2]):
        width = len(bounds[1])
        options = [f"{i:0{width}d}" for i in range(int(bounds[1]), int(bounds[2]) + 1)]
    elif "," in match[1]:
        options = match[1].split(",")
    else:
        raise UserError(f"data.source: {{{match[1]}}} is neither a range {{00..09}} nor a list")
    return [head + option + rest for option in options for rest in expand_braces(tail)]


def load(shards: list[Path], config: DataConfig, seed: int, progress: Progress) -> Dataset:
    """Load samples: an image ``<key>.jpg`` or the like, and its class in ``<key>.cls``.

    Shards called ``train...`` and ``val...``, or in folders of such names, are the splits; others
    are then left aside. Without both, a random validation split is held out.

    Raises:
        UserError: no images, some without a label, or see ``load_whole`` and ``TarTree``.
    """
    tree = TarTree(shards, progress)
    files = list(samples(tree))
    if not files:
        raise UserError(f"{config.source} holds no images (<key>.png, <key>.jpg, ...)")
    n_unlabelled = sum(file.class_name is None for file in files)
    if 0 < n_unlabelled < len(files):
        raise UserError(
            f"{config.source}: {n_unlabelled} of {len(files)} images have no .{_LABEL} beside "
            "them: label all or none"
        )
    train, val = ([f for f in files if f.name.startswith(split)] for split in ("train", "val"))
    if train and val:
        return load_splits(tree, train, val, config, progress)
    return load_whole(tree, files, config, seed, progress)


def samples(tree: FileTree) -> Iterator[LabelledFile]:
    """The image of each sample, and its label; the other files of a sample are left aside.

    Raises:
        UserError: a sample with two images, or a label that is not UTF-8.
    """
    every = set(tree.names)
    seen: dict[str, str] = {}
    for name in image_names(tree):
        folder, _, file = name.rpartition("/")
        stem, _, ending = file.partition(".")
        if "." in ending:  # such as a mask in <key>.seg.png
            continue
        key = f"{folder}/{stem}"
        if key in seen:
            raise UserError(f"{seen[key]} and {name} are two images of one sample")
        seen[key] = name
        label = f"{key}.{_LABEL}"
        yield LabelledFile(name, read_text(tree, label).strip() if label in every else None)
