from deepstdp.deployment.table import conversion_tables


def joules(spiking: float) -> dict:
    return {"float32": {"spiking": spiking}}


def test_what_spikes_cost_is_said_in_words():
    """By hand: 6 of 4 microjoules are 1.5 times, 1 of 4 is 0.25 times; only T = 8 is below 4."""
    known = {"picojoules_ac": 0.9, "picojoules_mac": 4.6}
    whole = {"spiking": 6.0, "spiking_held": 1.0, "convnet": 4.0} | known
    energy = {"microjoules": {"float32": whole}, "constant_macs": 1, "bias_additions": 1}
    energy |= {"synaptic_operations": 1, "convnet_macs": 1}
    points = [
        {"timesteps": t, "relative_error": 0.1, "energy": {"microjoules": joules(uj)}}
        for t, uj in ((8, 1.5), (32, 6.0))
    ]
    record = {"curve": points, "layers": [], "energy": energy, "config": {"timesteps": 32}}
    record |= {"n_images": 5, "n_counted": 5}
    said = " ".join(conversion_tables(record).split())
    assert "1.50 times the ConvNet's energy at T = 32 (less up to T = 8)" in said
    assert "and 0.25 times with the input held." in said
    points[0]["energy"]["microjoules"] = joules(4.5)
    assert "(more at each of these T)" in " ".join(conversion_tables(record).split())
