"""Do the readers of exported files find the spikes that they must? Those that are installed.

    python -m benchmarks.readers RUN

Exports a run for every target, once up to the features and once up to the clusters, and verifies
each file: the run's validation images through an executor in NumPy, and through the target's own
reader (``make test-readers`` installs those that ``make test`` does not).
"""

import argparse
import sys
import tempfile
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import get_args

from benchmarks.hardware import save
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.exchange.dialects import DIALECTS
from deepstdp.deployment.exchange.spiking import export_nir, verify_nir
from deepstdp.deployment.readout import LastLayer
from deepstdp.files import Record
from deepstdp.run_dir import RunDir

WEIGHT_BITS = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="a finished run")
    run = RunDir.open(parser.parse_args().run)
    targets: dict[str, Record] = {}
    with tempfile.TemporaryDirectory() as folder:
        for (target, dialect), last_layer in product(DIALECTS.items(), get_args(LastLayer)):
            name, path = f"{target}, {last_layer}", Path(folder) / f"{target}.nir"
            config = ConversionConfig(reset=dialect.resets[0], weight_bits=WEIGHT_BITS)
            exported = export_nir(run, target, config, path, last_layer=last_layer)
            checks = [asdict(check) for check in verify_nir(path, run)]
            targets[name] = {"reset": config.reset, "checks": checks, "kept": exported.record}
            for check in checks:
                print(f"{name:24} {check['name']}: {check['line']}", flush=True)
    save("readers", {"timesteps": config.timesteps, "weight_bits": WEIGHT_BITS, "targets": targets})
    return int(any(check["failed"] for one in targets.values() for check in one["checks"]))


if __name__ == "__main__":
    sys.exit(main())
