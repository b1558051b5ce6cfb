"""A small runner for the end-to-end programs: functions named test_*, a line each, "N passed, N failed" at the end.
A function that raises Skip is counted and named."""
import sys
import time
import traceback


class Skip(Exception):
    pass


def main(module_name="__main__"):
    module = sys.modules[module_name]
    wanted = sys.argv[1:]
    passed = failed = skipped = 0
    for name, function in list(vars(module).items()):
        if not name.startswith("test_") or not callable(function) or (wanted and name not in wanted):
            continue
        started = time.monotonic()
        try:
            function()
            passed += 1
            print(f"ok {name} {time.monotonic() - started:.1f} s", flush=True)
        except Skip as e:
            skipped += 1
            print(f"SKIPPED: {name}: {e}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0
