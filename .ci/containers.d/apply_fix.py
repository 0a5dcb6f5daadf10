#!/usr/bin/env python3
"""Makes the walkthrough's edit: apply_fix.py DETONADO.md FILE. The guide shows it after "Before:" and "After:"."""
import re
import sys

guide, path = sys.argv[1:]
before, after = re.search(
    r"^Before:\n\n```rust\n(.*?)```\n\nAfter:\n\n```rust\n(.*?)```", open(guide).read(), re.DOTALL | re.MULTILINE
).groups()
code = open(path).read()
assert code.count(before) == 1, f"the code of Before stands {code.count(before)} times in {path}"
open(path, "w").write(code.replace(before, after))
