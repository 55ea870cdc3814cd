"""k nearest neighbours: how well the geometry of the features follows the labels."""

from jaxtyping import Float, Int64
from numpy import ndarray
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize


def knn_accuracy(
    train: Float[ndarray, "n d"],
    train_labels: Int64[ndarray, "n"],
    val: Float[ndarray, "m d"],
    val_labels: Int64[ndarray, "m"],
    n_neighbours: int,
) -> float:
    """Accuracy on val of a distance-weighted vote of neighbours by cosine similarity."""
    classifier = KNeighborsClassifier(min(n_neighbours, len(train)), weights="distance")
    classifier.fit(normalize(train), train_labels)
    return float(classifier.score(normalize(val), val_labels))
