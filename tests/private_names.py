"""The private names of other libraries that the package uses: `python tests/private_names.py PATH`.

A name counts that begins with one underscore and that the package does not define itself: of an
attribute, an import, or a string given to getattr, setattr, hasattr or delattr. `x._` is spaCy's
public place for extensions. Defined is what a function, class or variable of the package is called,
or what a class of it sets on itself; of `BOTH`, which their libraries have too, in the same file.
"""

import ast
import sys
from collections import defaultdict
from pathlib import Path

ACCESS = {"getattr", "setattr", "hasattr", "delattr"}
BOTH = {"_model", "_hfmodel", "_func", "_parameters", "_modules", "_buffers"}


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _defined(tree: ast.AST) -> set[str]:
    """Functions, classes, variables, and attributes that a class of ours sets on itself."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                found.add(name)
    return found


def _used(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, lineno=line):
                found.append((name, line))
            case ast.Import(names=names, lineno=line):
                found += [(part, line) for alias in names for part in alias.name.split(".")]
            case ast.ImportFrom(module=module, names=names, lineno=line):
                found += [(part, line) for part in (module or "").split(".")]
                found += [(alias.name, line) for alias in names]
            case ast.Call(
                func=ast.Name(id=call), args=[_, ast.Constant(value=str(name)), *_], lineno=line
            ) if call in ACCESS:
                found.append((name, line))
    return [(name, line) for name, line in found if _is_private(name)]


def private_names(checkout: Path) -> dict[str, list[str]]:
    """Name to the places (file:line) in the package of a checkout where it is used."""
    package = checkout / "spacy_finegrained_ner"
    trees = {
        path.relative_to(package): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(package.glob("**/*.py"))
    }
    own = set().union(*map(_defined, trees.values())) - BOTH
    found = defaultdict(list)
    for path, tree in trees.items():
        here = own | _defined(tree)
        for name, line in _used(tree):
            if name not in here:
                found[name].append(f"{path.as_posix()}:{line}")
    return dict(sorted(found.items()))


if __name__ == "__main__":
    names = private_names(Path(sys.argv[1]))
    for name, places in names.items():
        print(f"{name:40} {len(places):3}  {', '.join(places)}")
    print(f"{len(names)} names, {sum(map(len, names.values()))} uses")
