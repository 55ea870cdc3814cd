from deepstdp.comparison.table import markdown, method_time_shares


def estimate(mean, half=None):
    return {"mean": mean, "ci95": None if half is None else [mean - half, mean + half]}


COMPARISON = {
    "methods": {
        "stdp": {
            "runs": ["a"],
            "linear_probe_accuracy": estimate(0.5, 0.02),
            "nmi_labels": estimate(0.25),
            "wall_seconds": estimate(31.0),
            **{
                f"seconds_{stage}": estimate(s)
                for stage, s in zip(
                    ("features", "reduction", "clustering", "training", "evaluation"),
                    (2, 1, 1, 5, 1),
                    strict=True,
                )
            },
        },
        "raw-pixels": {"runs": [], "linear_probe_accuracy": estimate(0.4)},
    },
    "versus_baseline": {
        "stdp": {
            "linear_probe_accuracy": {
                "ratio": estimate(1.25),
                "percent": {"mean": 25.0, "ci95": [20.0, 31.0]},
                "points": estimate(10.0, 1.0),
            },
            "epochs_to_baseline_best": estimate(4.0),
            "epochs_speedup": {"mean": 2.0, "ci95": [1.5, 3.0]},
            "seconds_speedup": estimate(1.8),
            "bootstrap_ratio": {"mean": 1.25, "ci95": [1.1, 1.41]},
            "n_censored": 1,
            "n_levels_below_untrained": 2,
        }
    },
    "baseline": "kmeans",
    "seeds": [0, 1],
}


def test_rows_by_hand():
    lines = markdown(COMPARISON).splitlines()
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells == [
        "stdp", "50.0 +- 2.0", "-", "0.250", "-", "+25.0 [+20.0, +31.0]", "+10.0 +- 1.0",
        ">= 4", "<= 2.00 [1.50, 3.00]", "<= 1.80", "31",
    ]  # fmt: skip
    assert lines[3].startswith("| raw-pixels | 40.0")
    assert "2 seeds, +- half the 95 % t-interval." in lines
    assert lines[-3].endswith("over seeds and images: stdp 1.250 [1.100, 1.410].")
    assert lines[-2].endswith("upper bounds: stdp 1 of 2.")
    assert lines[-1].startswith("In 2 of 2 seeds kmeans's best is no better than the untrained")
    assert len({len(line) for line in lines[:4]}) == 1


def test_one_seed_says_what_it_is_worth():
    one = markdown(COMPARISON | {"seeds": [0]}).splitlines()
    assert "One seed: no intervals, and any difference or speed-up may be its chance." in one


def test_accuracies_from_few_labels_have_columns_of_their_own():
    few = {
        "fine_tuned_accuracy_0.01": estimate(0.2, 0.01),
        "fine_tuned_accuracy_0.1": estimate(0.3),
    }
    methods = COMPARISON["methods"]
    lines = markdown(COMPARISON | {"methods": methods | {"stdp": methods["stdp"] | few}})
    header, _, stdp, raw, *_ = lines.splitlines()
    assert "| k-NN % | 1% of labels | 10% of labels | NMI" in " ".join(header.split())
    assert "| 20.0 +- 1.0 | 30.0 |" in " ".join(stdp.split())
    assert raw.count("|") == header.count("|")


def test_time_shares():
    assert method_time_shares(COMPARISON) == (
        "stdp: 31 s (features 20%, reduction 10%, clustering 10%, training 50%, evaluation 10%)"
    )
