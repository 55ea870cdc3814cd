"""Do the readers of exported files find the spikes that they must? Those that are installed.

    python -m benchmarks.readers RUN

Exports a run for every target and verifies each file: the run's validation images through an
executor in NumPy, and through the target's own reader (``make test-readers`` installs those that
``make test`` does not).
"""

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.hardware import save
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.exchange.dialects import DIALECTS
from deepstdp.deployment.exchange.spiking import export_nir, verify_nir
from deepstdp.files import Record
from deepstdp.run_dir import RunDir

WEIGHT_BITS = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="a finished run")
    run = RunDir.open(parser.parse_args().run)
    targets: dict[str, Record] = {}
    with tempfile.TemporaryDirectory() as folder:
        for target, dialect in DIALECTS.items():
            path = Path(folder) / f"{target}.nir"
            config = ConversionConfig(reset=dialect.resets[0], weight_bits=WEIGHT_BITS)
            exported = export_nir(run, target, config, path)
            checks = [asdict(check) for check in verify_nir(path, run)]
            targets[target] = {"reset": config.reset, "checks": checks, "kept": exported.record}
            for check in checks:
                print(f"{target:14} {check['name']}: {check['line']}", flush=True)
    save("readers", {"timesteps": config.timesteps, "weight_bits": WEIGHT_BITS, "targets": targets})
    return int(any(check["failed"] for one in targets.values() for check in one["checks"]))


if __name__ == "__main__":
    sys.exit(main())
