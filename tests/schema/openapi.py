#!/usr/bin/python3 -B
"""docs/formats/openapi.yaml is whole: references resolve, examples hold to their schemas, parameters and fields are the code's."""
import glob
import os
import re
import sys

import jsonschema
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def walk(node, at=""):
    yield at, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, f"{at}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{at}/{index}")


def resolve(document, reference):
    node = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def parameters(document):
    """Names of all query parameters in the document."""
    found = set()
    for _, node in walk(document):
        if isinstance(node, dict) and node.get("in") == "query":
            found.add(node["name"])
    return found


def asked():
    """Names of all parameters the code asks for."""
    text = "".join(read(os.path.relpath(name, ROOT)) for name in glob.glob(os.path.join(ROOT, "console/server/src/*.cc")))
    names = set(re.findall(r'with\.(?:text|texts|number|integer|flag|word|time|duration)\("([\w.]+)"', text))
    names |= set(re.findall(r'time_of\(with, "([\w.]+)"', text))
    # Loops over both of two.
    return names | {"minDuration", "maxDuration", "query.duration_min", "query.duration_max"}


def interfaces():
    """Fields of each interface in types.ts, of its outermost level, with the beginning of their types."""
    text = re.sub(r"//[^\n]*", "", read("web/src/api/types.ts"))
    for name, body in re.findall(r"export interface (\w+) \{\n(.*?)\n\}", text, re.S):
        yield name, dict(re.findall(r"^  (\w+)\??: *(.*)$", body, re.M))


def nullable(document, schema):
    """Whether null fits; None where that is not said here."""
    if "$ref" in schema:
        return nullable(document, resolve(document, schema["$ref"]))
    if "type" in schema:
        return "null" in schema["type"] if isinstance(schema["type"], list) else schema["type"] == "null"
    parts = [nullable(document, each) for each in schema.get("allOf", [])]
    return all(parts) if parts else None


def other_nulls(document, here, there):
    """Fields that may be null on one side only. Of moments null is what is before 1970, which a page never asks for."""
    for field, kind in here.items():
        simple = re.fullmatch(r"(?:(?:number|string|boolean|null|(?:Maybe)?Pair)(?: \| )?)+;", kind.strip())
        if not simple or field.endswith("_ms") or field not in there:
            continue
        null = nullable(document, there[field])
        if null is not None and null != ("null" in kind) and not re.fullmatch(r"MaybePair;", kind.strip()):
            yield field


def main():
    document = yaml.safe_load(read("docs/formats/openapi.yaml"))
    wrong = []
    examples = fields = 0
    for at, node in walk(document):
        if not isinstance(node, dict):
            continue
        if isinstance(node.get("$ref"), str):
            try:
                resolve(document, node["$ref"])
            except KeyError:
                wrong.append(f"{at}: {node['$ref']} is not there")
        pairs = [node["example"]] if "example" in node and "schema" in node else []
        schema = node.get("schema")
        if isinstance(node.get("examples"), list):
            schema, pairs = node, node["examples"]
        for example in pairs:
            examples += 1
            validator = jsonschema.Draft202012Validator({**schema, "components": document["components"]})
            for error in validator.iter_errors(example):
                wrong.append(f"{at}: example: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}")
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        missing = set(schema.get("required", [])) - set(schema.get("properties", {}))
        if missing:
            wrong.append(f"{name}: requires {sorted(missing)}, which it does not describe")
    for name in sorted(parameters(document) ^ asked()):
        wrong.append(f"parameter {name}: named by only one of the document and console/server/src")
    for name, here in interfaces():
        there = document["components"]["schemas"].get(name, {}).get("properties", {})
        fields += len(here)
        if here.keys() != there.keys():
            one = sorted(here.keys() ^ there.keys())
            wrong.append(f"{name}: {one} named by only one of the document and web/src/api/types.ts")
        for field in other_nulls(document, here, there) if name != "Subscribe" else []:
            wrong.append(f"{name}: {field} may be null in only one of the document and web/src/api/types.ts")
    for line in wrong:
        print(line)
    print(f"{len(document['paths'])} paths, {examples} examples, {fields} fields, {len(wrong)} problems")
    return 1 if wrong or examples < 15 or fields < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
