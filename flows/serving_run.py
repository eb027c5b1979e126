"""The process of one served flow run: it holds a lock that says it lives, and ends with its worker.

The work pool starts it for each run. A run whose lock is free has lost its process: see ``flows.serving_keeper``.
"""

import logging
import os
import runpy
import threading
from pathlib import Path

from flows.server import end_with
from flows.serving_site import take


def main() -> None:
    """Run the flow run that Prefect's worker names in the environment."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    live, run = Path(os.environ["AI4S_SERVE_LIVE"]), os.environ["PREFECT__FLOW_RUN_ID"]
    lock = take(live / run)
    if lock is None:
        return  # an earlier process of this run lives: it says how the run ends
    logging.getLogger("ai4s").setLevel(logging.INFO)  # how far a run is goes to its page
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
