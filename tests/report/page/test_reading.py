from deepstdp.report.page.reading import RunView, group_runs


def test_seeds_of_one_config_are_one_group(runs):
    groups = group_runs([RunView.read(run) for run in runs])
    assert list(groups) == ["stdp", "kmeans", "<b>un&"]
    assert [v.config.seed for v in groups["stdp"]] == [0, 1]


def test_groups_of_one_name_are_told_apart(runs):
    views = [RunView.read(run) for run in runs]
    renamed = [views[0], RunView(views[0].run, views[2].config, views[2].metrics, None)]
    assert list(group_runs(renamed)) == ["stdp", "stdp (2)"]


def test_a_run_goes_by_its_folder(runs, tmp_path):
    (tmp_path / "photos").symlink_to(runs[0].path)
    view = RunView.read(runs[0])
    assert list(group_runs([view])) == ["stdp"]
    epochs, losses = view.series("loss")
    assert epochs == [1, 2]
    assert all(loss > 0 for loss in losses)
    assert view.series("no such thing") == ([], [])
