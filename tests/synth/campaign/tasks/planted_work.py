"""What campaigns of the tests do: results, refusals, faults, deaths."""

import os
import signal
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.synth.campaign.work import Unkept


def square(common, task):
    """common + number squared; leaves a file that tells how often it ran."""
    with (Path(task["folder"]) / str(task["number"])).open("a") as file:
        file.write("x")
    return {"square": common + task["number"] ** 2}


def end(common, task):
    """Ends as `how` says."""
    match task["how"]:
        case "refused":
            raise InputError("number is 7; accepted: 8")
        case "failed":
            raise ZeroDivisionError("planted")
        case "killed":
            print("said before", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        case "open":
            return Unkept({"luts": None})
