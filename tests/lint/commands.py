#!/usr/bin/env python3
"""commands.py BUILD: a shell command a line that checks one source file by itself, the largest files first.

The files are those that BUILD (a configured build directory) compiles and git knows, tests apart; nothing is generated of
them but what the compiler has to say.
"""
import json
import os
import shlex
import subprocess
import sys


def main():
    build = os.path.abspath(sys.argv[1])
    known = {os.path.abspath(line) for line in subprocess.check_output(["git", "ls-files", "*.cc"], text=True).split()}
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as text:
        entries = json.load(text)
    commands = {}
    for entry in entries:
        file = entry["file"]
        if file not in known or f"{os.sep}test{os.sep}" in file or "tests/" in file:
            continue
        words = iter(shlex.split(entry["command"]))
        kept = []
        for word in words:
            if word in ("-o", "-MF", "-MT"):
                next(words)
            elif word not in ("-c", "-MD") and os.path.basename(word) != "ccache":
                kept.append(word)
        commands[file] = f"cd {shlex.quote(entry['directory'])} && {shlex.join(kept)} -fsyntax-only"
    for file in sorted(commands, key=os.path.getsize, reverse=True):
        print(commands[file])


if __name__ == "__main__":
    main()
