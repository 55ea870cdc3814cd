import numpy as np
import pytest

from deepstdp.data.feature_file import read_features
from deepstdp.errors import UserError

X = np.arange(12.0).reshape(6, 2)


def test_npy_is_mapped_not_read(tmp_path):
    np.save(tmp_path / "x.npy", X)
    data = read_features(tmp_path / "x.npy")
    assert isinstance(data.features, np.memmap)
    assert np.array_equal(data.features, X)
    assert data.labels is None


def test_npz_may_hold_labels(tmp_path):
    np.savez(tmp_path / "x.npz", features=X, labels=np.arange(6)[:, None])
    data = read_features(tmp_path / "x.npz")
    assert np.array_equal(data.features, X)
    assert data.labels.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_line_of_titles_is_no_sample(tmp_path):
    np.savetxt(tmp_path / "x.csv", X, delimiter=",", header="a,b c", comments="")
    assert np.array_equal(read_features(tmp_path / "x.csv").features, X)
    for damaged in ("1,2\n3,x\n", "1,x\n3,4\n", "a,b\n3,x\n"):
        (tmp_path / "y.csv").write_text(damaged)
        with pytest.raises(UserError, match="cannot be read as CSV .*'x'"):
            read_features(tmp_path / "y.csv")


def test_csv_and_labels_of_their_own(tmp_path):
    np.savetxt(tmp_path / "x.csv", X, delimiter=",")
    np.save(tmp_path / "y.npy", np.array(list("aabbcc")))
    data = read_features(tmp_path / "x.csv", tmp_path / "y.npy")
    assert np.array_equal(data.features, X)
    assert data.labels.tolist() == list("aabbcc")


def write(tmp_path, **arrays):
    np.savez(tmp_path / "x.npz", **arrays)
    return tmp_path / "x.npz"


def text(tmp_path):
    (tmp_path / "x.npy").write_text("no array")
    return tmp_path / "x.npy"


def pickled(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    return tmp_path / "x.npy"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "none.npy", "does not exist"),
        (lambda p: p, "is no file"),
        (text, "cannot be read"),
        (pickled, "cannot be read"),
        (lambda p: write(p, a=X), "no array 'features', only a"),
        (lambda p: write(p, x=X[:, 0]), r"expected \(N, P\) features"),
        (lambda p: write(p, x=np.array([["a"]])), "expected"),
        (lambda p: write(p, x=X, y=np.arange(5)), "5 labels for 6 samples"),
        (lambda p: write(p, x=X[:0]), "nothing to cluster"),
        (lambda p: write(p, x=np.where(X > 3, np.inf, X)), "NaN or infinity"),
    ],
)
def test_what_cannot_be_used(make, message, tmp_path):
    with pytest.raises(UserError, match=message):
        read_features(make(tmp_path))


def test_labels_of_an_npz_are_those_that_are_called_so(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "y.npz", images=np.zeros((9, 9)), labels=np.arange(6))
    data = read_features(tmp_path / "x.npy", tmp_path / "y.npz")
    assert data.labels.tolist() == list(range(6))


def test_other_byte_orders_are_brought_to_ours(tmp_path):
    np.save(tmp_path / "x.npy", X.astype(">f4"))
    data = read_features(tmp_path / "x.npy")
    assert data.features.dtype == np.float64
    assert np.array_equal(data.features, X)
