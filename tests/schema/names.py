"""Names of spans, attributes, events and metrics are spelled once: in engine/model/include/sockeye/model/names.h."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = ROOT / "engine/model/include/sockeye/model/names.h"
# Tests say what is expected, benches what others send.
SOURCES = ("engine", "net", "vantage", "export", "store", "console", "apps", "alert")
NOT_THERE = {"test", "fuzz", "conformance", "build"}
# Words that mean something else elsewhere.
WORDS = {"event", "first_chunk", "chunk_gap"}


def main() -> int:
    names = set(re.findall(r'= "([^"]+)";', HEADER.read_text())) - WORDS
    if len(names) < 100:
        print(f"{HEADER.name} has {len(names)} names: is it read as it is written?")
        return 1
    wrong = []
    for top in SOURCES:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in {".cc", ".h"} or path == HEADER or NOT_THERE & set(path.relative_to(ROOT).parts):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                wrong += [f"{path.relative_to(ROOT)}:{number}: {name}" for name in re.findall(r'"([^"\n]+)"', line)
                          if name in names and not line.lstrip().startswith("#include")]
    for each in wrong:
        print(f"{each} is spelled here: use its constant of {HEADER.name}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
