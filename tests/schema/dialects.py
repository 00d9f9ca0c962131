#!/usr/bin/python3 -B
"""Every rule file holds to docs/dialect.schema.json, and the schema refuses what the program refuses."""
import glob
import json
import os
import sys

import jsonschema
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOOD = {"dialect": "x", "rules": [{"do": [{"ignore": True}]}]}
BAD = {
    "unknown key": {**GOOD, "ruels": []},
    "no rules": {"dialect": "x"},
    "a reserved name": {**GOOD, "dialect": "auto"},
    "unknown verb": {**GOOD, "rules": [{"do": [{"opne": {}}]}]},
    "a verb without what it needs": {**GOOD, "rules": [{"do": [{"open": {"keys": {"id": "/id"}}}]}]},
    "no extractor": {**GOOD, "rules": [{"when": {"/a": {"like": "x"}}, "do": [{"ignore": True}]}]},
    "a bad pointer": {**GOOD, "type": "type"},
    "a bad duration": {**GOOD, "timeout": "soon"},
}


def main():
    with open(os.path.join(ROOT, "docs/dialect.schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    wrong = []
    files = glob.glob(os.path.join(ROOT, "engine/dialect/rules/*.yaml")) + glob.glob(os.path.join(ROOT, "docs/examples/*/*.yaml"))
    for name in sorted(files):
        with open(name, encoding="utf-8") as file:
            for error in validator.iter_errors(yaml.safe_load(file)):
                wrong.append(f"{os.path.relpath(name, ROOT)}: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}")
    if not validator.is_valid(GOOD):
        wrong.append("the schema refuses the smallest dialect")
    for why, document in BAD.items():
        if validator.is_valid(document):
            wrong.append(f"the schema takes a dialect with {why}")
    for line in wrong:
        print(line)
    print(f"{len(files)} rule files, {len(BAD)} wrong documents, {len(wrong)} problems")
    return 1 if wrong or len(files) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
