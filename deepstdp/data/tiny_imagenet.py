"""Tiny ImageNet as it is downloaded: the folder ``tiny-imagenet-200`` or its zip."""

from collections.abc import Sequence
from dataclasses import replace

from deepstdp.config import DataConfig
from deepstdp.data.file_tree import FileTree, image_names, read_text
from deepstdp.data.image_set import Dataset
from deepstdp.data.labelled_files import LabelledFile, load_splits
from deepstdp.errors import UserError
from deepstdp.progress import Progress


def is_tiny_imagenet(tree: FileTree) -> bool:
    """Whether the tree has Tiny ImageNet's layout."""
    return "wnids.txt" in tree.names and "val/val_annotations.txt" in tree.names


def load(tree: FileTree, config: DataConfig, progress: Progress) -> Dataset:
    """Load ``train/<wnid>/images/*`` and ``val/images/*`` with ``val/val_annotations.txt``.

    Settings name classes by their WordNet ID; people are shown the words of ``words.txt``.

    Raises:
        UserError: an unknown class, a damaged annotation file, or an image that cannot be decoded.
    """
    wnids = read_text(tree, "wnids.txt").split()
    known = set(wnids)
    train, val = [], []
    val_wnids = _annotations(tree)
    for name in image_names(tree):
        match name.split("/"):
            case ["train", wnid, "images", _] if wnid in known:
                train.append(LabelledFile(name, wnid))
            case ["val", "images", file] if val_wnids.get(file) in known:
                val.append(LabelledFile(name, val_wnids[file]))
    dataset = load_splits(tree, train, val, config, progress, available=wnids)
    if dataset.class_names is None or "words.txt" not in tree.names:
        return dataset
    return replace(dataset, class_names=_words(tree, dataset.class_names))


def _words(tree: FileTree, wnids: Sequence[str]) -> list[str]:
    """What people call the classes: the first of their words, which tell no two alike."""
    try:
        text = read_text(tree, "words.txt")
    except UserError:  # it is damaged, and only names things
        text = ""
    lines = (line.partition("\t") for line in text.splitlines())
    words = {wnid: said.split(",")[0].strip() for wnid, _, said in lines}
    shown = [words.get(wnid) or wnid for wnid in wnids]
    return [w if shown.count(w) == 1 else f"{w} ({i})" for w, i in zip(shown, wnids, strict=True)]


def _annotations(tree: FileTree) -> dict[str, str]:
    wnids = {}
    for number, line in enumerate(read_text(tree, "val/val_annotations.txt").splitlines(), 1):
        fields = line.split("\t")
        if len(fields) < 2:
            raise UserError(f"val/val_annotations.txt, line {number}: expected 'file<TAB>wnid'")
        wnids[fields[0]] = fields[1]
    return wnids
