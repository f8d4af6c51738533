"""`python -m stackinv`."""

import sys

from stackinv._cli import main

sys.exit(main())
