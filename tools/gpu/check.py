"""Runs the stages of tools/gpu-check.sh, each within its time box, and writes what they found."""
import argparse
import json
import os
import sys
import time
import traceback

import paper
import report
import stages
from machine import Absent, Failed, Machine

# name, box in seconds, box of a dry run
STAGES = [("facts", 15, 60), ("build", 110, 5), ("ops", 80, 60), ("tests", 40, 20), ("training", 80, 60), ("bench", 90, 60),
          ("sanitizer", 45, 5), ("profile", 20, 5)]  # 480 s in all
OTHERS = [("tune", 240, 20), ("peers", 400, 10), ("paper", 570, 10)]


def arguments():
    parser = argparse.ArgumentParser(prog="tools/gpu-check.sh")
    parser.add_argument("out", metavar="OUT", help="folder of the report; it is made")
    parser.add_argument("--only", default="", help="stages by name or number, separated by commas")
    parser.add_argument("--ops", default="", help="patterns of ops, as check-ops --op takes them")
    parser.add_argument("--programs", default="", help="folder with bkd and libbkd_cuda.so")
    parser.add_argument("--seeds", default="1,2,3", help="paper: seeds, in this order")
    parser.add_argument("--ratios", default="100,50,10", help="paper: ratios, in this order; the packed images are 100's alone")
    parser.add_argument("--methods", default="bkd,ce,kd,cb,mixup", help="paper: methods, in this order")
    parser.add_argument("--minutes", type=float, default=9.5, help="paper: ends within so many")
    parser.add_argument("--dtype", default="f32", help="paper: compute.dtype")
    for other, _, _ in OTHERS:
        parser.add_argument(f"--{other}", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    return parser.parse_args()


def chosen(options):
    others = [s for s in OTHERS if getattr(options, s[0])]
    if others and not options.only:
        return others
    if not options.only:
        return STAGES
    picked = []
    for word in options.only.split(","):
        found = [s for i, s in enumerate(STAGES) if word in (s[0], str(i))]
        if not found:
            sys.exit(f"gpu-check: no stage \"{word}\"; there are {', '.join(s[0] for s in STAGES)}")
        picked += found
    return others + picked


def run_stage(machine, name, box, results):
    functions = {**stages.FUNCTIONS, "paper": paper.run}
    began = time.monotonic()
    machine.deadline = began + box
    result = {"stage": name, "box_s": box}
    try:
        functions[name](machine, result.setdefault("found", {}), result.setdefault("table", []))
        result["state"] = "passed"
    except Absent as absent:
        result.update(state="not available", why=str(absent))
    except Failed as failed:
        result.update(state="failed", why=str(failed))
    except Exception:  # a fault of the script must not take the other stages' results along
        result.update(state="failed", why=traceback.format_exc()[-1500:])
    result["seconds"] = round(time.monotonic() - began, 1)
    if result["seconds"] > box and result["state"] == "passed":
        result.update(state="failed", why=f"took {result['seconds']} s of its {box}")
    results.append(result)
    return result


def main():
    options = arguments()
    os.makedirs(options.out, exist_ok=True)
    log_file = open(os.path.join(options.out, "log.txt"), "a", encoding="utf-8")

    def log(text):
        log_file.write(f"{text}\n")
        log_file.flush()

    machine = Machine(options, log)
    if not options.dry_run and not stages.has_device(machine):
        print("gpu-check: no device: nvidia-smi -L lists none. Nothing was measured.")
        log("no device")
        return 3
    results = []
    for name, box, dry_box in chosen(options):
        box = dry_box if options.dry_run else options.minutes * 60 if name == "paper" else box
        print(f"gpu-check: {name} ...", flush=True)
        result = run_stage(machine, name, box, results)
        print(f"gpu-check: {name}: {result['state']}, {result['seconds']} s"
              + (f": {result['why'].strip().splitlines()[-1][:200]}" if "why" in result else ""), flush=True)
        # After every stage: what is known is there if the machine is taken away.
        document = {"schema": "bkd.gpu-check/1", "dry_run": options.dry_run, "device": machine.device,
                    "passed": all(r["state"] != "failed" for r in results), "stages": results}
        with open(os.path.join(options.out, "report.json"), "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
        with open(os.path.join(options.out, "report.md"), "w", encoding="utf-8") as file:
            file.write(report.markdown(document))
    print(report.markdown(document)[-9000:])
    return 0 if document["passed"] else 1


sys.exit(main())
