#!/usr/bin/env python3
"""units.py BUILD OUT FILE...

Joins source files of one folder and one command into units of up to eight, for clang-tidy: most of a file's time goes to
the headers, which are then read and walked once for all of a unit. Writes the units and a compile_commands.json for them
under OUT, with the commands that BUILD has for the files, and prints the units' paths, the largest first. The static
analyzer takes a file that is included for one to analyse only if the unit is called UnifiedSource (that is Clang's rule).
A folder's own .clang-tidy, which clang-tidy looks for beside the unit, is put there.
"""
import json
import os
import shlex
import sys

AT_ONCE = 8


def command_of(entry):
    """The compiler and its flags, without the file and what is written of it."""
    words = iter(shlex.split(entry["command"]))
    kept = []
    for word in words:
        if word in ("-o", "-c"):
            next(words)
        else:
            kept.append(word)
    return kept


def kernel(path):
    """Whether a file has headers of the kernel's: they define again what the C library's do."""
    with open(path, encoding="utf-8") as text:
        return "#include <linux/" in text.read()


def main():
    build, out, files = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:]
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as text:
        commands = {entry["file"]: command_of(entry) for entry in json.load(text)}
    groups = {}
    for file in files:
        path = os.path.abspath(file)
        if path not in commands:
            sys.exit(f"lint: {file} is not built, so nobody knows how to read it: ./dev lint configures the dev preset for it")
        groups.setdefault((os.path.dirname(file), tuple(commands[path]), kernel(path)), []).append(path)
    units = []
    for (folder, command, _), paths in sorted(groups.items()):
        place = os.path.join(out, folder)
        os.makedirs(place, exist_ok=True)
        config = os.path.join(folder, ".clang-tidy")
        if os.path.exists(config):
            with open(config, encoding="utf-8") as text, open(os.path.join(place, ".clang-tidy"), "w", encoding="utf-8") as copy:
                copy.write(text.read())
        count = -(-len(paths) // AT_ONCE)
        for number in range(count):
            members = sorted(paths)[number::count]
            unit = os.path.join(place, f"UnifiedSource{len(units)}.cc")
            with open(unit, "w", encoding="utf-8") as text:
                text.writelines(f'#include "{member}"  // NOLINT(bugprone-suspicious-include)\n' for member in members)
            weight = sum(os.path.getsize(member) for member in members)
            units.append((weight, unit, command))
    with open(os.path.join(out, "compile_commands.json"), "w", encoding="utf-8") as text:
        json.dump([{"directory": build, "file": unit, "arguments": [*command, "-c", unit]} for _, unit, command in units], text)
    for _, unit, _ in sorted(units, reverse=True):
        print(unit)


main()
