import torch
from torch import nn

from deepstdp.training.teacher import follow


def test_weights_and_statistics_follow_and_counts_are_taken_over():
    teacher, student = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    with torch.no_grad():
        student.weight.fill_(3.0)
        student.running_mean.fill_(1.0)
        student.num_batches_tracked.fill_(7)
    follow(teacher, student, 0.75)
    assert teacher.weight.tolist() == [1.5, 1.5]
    assert teacher.running_mean.tolist() == [0.25, 0.25]
    assert int(teacher.num_batches_tracked) == 7
    assert student.weight.tolist() == [3.0, 3.0]
    for _ in range(100):
        follow(teacher, student, 0.75)
    assert torch.allclose(teacher.weight, student.weight)
