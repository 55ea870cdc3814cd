"""k nearest neighbours: how well the geometry of the features follows the labels."""

from jaxtyping import Float, Int64
from numpy import ndarray
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize


def knn_classes(
    train: Float[ndarray, "n d"],
    train_labels: Int64[ndarray, "n"],
    val: Float[ndarray, "m d"],
    n_neighbours: int,
) -> Int64[ndarray, "m"]:
    """The classes that a distance-weighted vote of neighbours by cosine similarity gives val."""
    classifier = KNeighborsClassifier(min(n_neighbours, len(train)), weights="distance")
    classifier.fit(normalize(train), train_labels)
    return classifier.predict(normalize(val))
