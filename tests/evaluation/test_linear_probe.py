import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from deepstdp.config import EvaluationConfig
from deepstdp.evaluation.linear_probe import LinearProbe, fit_logistic_regression


def digits():
    bunch = load_digits()
    x = torch.from_numpy(bunch.data / 16).float()
    return x, torch.from_numpy(bunch.target.astype(np.int64))


def test_the_solution_is_scikit_learns():
    x, y = digits()
    weight, bias = fit_logistic_regression(x, y, 10, inverse_regularisation=0.1, n_iterations=500)
    theirs = LogisticRegression(C=0.1, max_iter=2000, tol=1e-8).fit(x.numpy(), y.numpy())
    assert np.allclose(weight.numpy(), theirs.coef_, atol=5e-3)
    ours = torch.softmax(x @ weight.T + bias, dim=1).numpy()
    assert np.allclose(ours, theirs.predict_proba(x.numpy()), atol=5e-3)


def probe_accuracy(x, y, x_val, y_val) -> float:
    return (
        (LinearProbe.fit(x, y, EvaluationConfig()).classes(x_val) == y_val).double().mean().item()
    )


def test_accuracy_on_held_out_digits():
    x, y = digits()
    assert 0.88 < probe_accuracy(x[:1400], y[:1400], x[1400:], y[1400:]) < 1


def test_scale_and_dead_features_do_not_matter():
    x, y = digits()
    scaled = torch.cat([x * 1000 + 5, torch.zeros(len(x), 3)], dim=1)
    plain, other = (probe_accuracy(z[:600], y[:600], z[600:900], y[600:900]) for z in (x, scaled))
    assert abs(plain - other) < 0.02


def test_a_label_seen_in_val_only_is_a_miss():
    x, y = digits()
    zeros, others = torch.zeros(50, dtype=torch.int64), y[50:60].clamp(min=1)
    assert probe_accuracy(x[:50], zeros, x[50:60], others) == 0
