"""Linear probe: a linear classifier on frozen features."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from deepstdp.config import EvaluationConfig


def fit_logistic_regression(
    x: Float[Tensor, "n d"],
    labels: Int64[Tensor, "n"],
    n_classes: int,
    inverse_regularisation: float,
    n_iterations: int,
) -> tuple[Float[Tensor, "c d"], Float[Tensor, "c"]]:
    """Multinomial logistic regression by L-BFGS, on the features' device.

    Minimises mean_i CE(W x_i + b, y_i) + ||W||^2 / (2 C N): scikit-learn's objective, whose
    solution it is tested against.

    Returns:
        Weights and intercepts.
    """
    n, d = x.shape
    weight = x.new_zeros(n_classes, d, requires_grad=True)
    bias = x.new_zeros(n_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=n_iterations, history_size=10, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        data = functional.cross_entropy(functional.linear(x, weight, bias), labels)
        loss = data + weight.square().sum() / (2 * inverse_regularisation * n)
        loss.backward()
        return loss

    optimizer.step(objective)
    return weight.detach(), bias.detach()


@dataclass(frozen=True)
class LinearProbe:
    """Logistic regression on standardised features.

    Attributes:
        mean, std: (D,) of the features it was fitted to.
        weight, bias: (C, D) and (C,), of standardised features.
    """

    mean: Float[Tensor, "d"]
    std: Float[Tensor, "d"]
    weight: Float[Tensor, "c d"]
    bias: Float[Tensor, "c"]

    @classmethod
    def fit(
        cls, features: Float[Tensor, "n d"], labels: Int64[Tensor, "n"], config: EvaluationConfig
    ) -> "LinearProbe":
        """Learn the labels of features."""
        mean, std = features.mean(dim=0), features.std(dim=0, correction=0)
        std = torch.where(std > 0, std, 1.0)
        weight, bias = fit_logistic_regression(
            (features - mean) / std,
            labels,
            int(labels.max()) + 1,
            config.probe_inverse_regularisation,
            config.probe_iterations,
        )
        return cls(mean, std, weight, bias)

    def classes(self, features: Float[Tensor, "m d"]) -> Int64[Tensor, "m"]:
        """The likeliest class of each."""
        return functional.linear((features - self.mean) / self.std, self.weight, self.bias).argmax(
            dim=1
        )
