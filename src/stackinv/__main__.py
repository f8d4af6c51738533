# SPDX-License-Identifier: BSD-3-Clause
"""`python -m stackinv`."""

import sys

from stackinv._cli import main

sys.exit(main())
