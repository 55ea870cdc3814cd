import sys

from deepstdp.cli import main

sys.exit(main())
