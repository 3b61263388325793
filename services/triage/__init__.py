"""Triage: understands what came in and says what must be done with it.

Numeric libraries are held to one thread: triage scales by processes, and threads that fight over a core slow all down. They read
how many they may have when numpy is imported, which many files of this package do, so it is said here, before any of them.
"""

import os

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
for _name, _threads in ONE_THREAD.items():
    os.environ.setdefault(_name, _threads)
