import sys
from pathlib import Path

from tests.rehearsal.play import play

sys.exit(play(Path(sys.argv[1])))
