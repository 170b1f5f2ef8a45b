"""Which of TensorRT's names and arguments a source file uses, read from its syntax tree.

A name is a path from the module: ``builder.create_network(0).num_inputs`` behind ``builder = trt.Builder(logger)`` is
Builder, call, create_network, call, num_inputs. Followed are the module (imported, or a name ``trt``), variables,
annotated arguments, fields and results, ``self.x = ...`` and ``with ... as x``. What comes out of a container or an
unannotated function is not, so code that talks to TensorRT annotates.

Where a name is asked for by ``hasattr``, or by ``getattr`` with a default, it may be missing in some version. Public
methods of a class derived from one of TensorRT's count as overrides and have to exist in the base.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

CALL = "()"
Path = tuple[str, ...]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Use:
    """One use. keywords, positional: of a call; None where it is none or where * or ** hides them."""

    path: Path
    line: int
    keywords: tuple[str, ...] | None = None
    positional: int | None = None
    optional: bool = False


def used_names(source: str) -> list[Use]:
    """Every use, in the order of the lines."""
    tree = ast.parse(source)
    reader = _Reader({}, {})
    for _ in range(2):  # a field may be read above the line that sets it, a function called above the one that returns
        reader = _Reader(reader.fields, reader.results)
        reader.visit(tree)
    asked = {use.path[-1] for use in reader.uses if use.optional}
    uses = {Use(u.path, u.line, u.keywords, u.positional, u.optional or _name(u.path) in asked) for u in reader.uses}
    return sorted(uses, key=lambda use: (use.line, use.path, use.keywords is not None))


def _name(path: Path) -> str:
    """The last name in it."""
    return next((part for part in reversed(path) if part != CALL), "")


class _Reader(ast.NodeVisitor):
    """fields: of any class in the file, name -> what it holds. results: what its functions and methods return."""

    def __init__(self, fields: dict[str, Path], results: dict[str, Path]) -> None:
        self.uses: list[Use] = []
        self.fields, self.results = fields, results
        self.variables: dict[str, Path] = {"trt": ()}

    def path(self, node: ast.expr | None) -> Path | None:
        """Where the value comes from, if from TensorRT."""
        if isinstance(node, ast.Name):
            return self.variables.get(node.id)
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                return self.fields.get(node.attr)
            base = self.path(node.value)
            return None if base is None else (*base, node.attr)
        if isinstance(node, ast.Call):
            function = self.path(node.func)
            return self.results.get(_called(node)) if function is None else (*function, CALL)
        return None

    def annotated(self, node: ast.expr | None) -> Path | None:
        """An instance of the class that the annotation names; of ``X | None``, of X."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = ast.parse(node.value, mode="eval").body
        if isinstance(node, ast.BinOp):
            return self.annotated(node.left) or self.annotated(node.right)
        path = self.path(node)
        return (*path, CALL) if path else None

    def bind(self, target: ast.expr, path: Path | None) -> None:
        if isinstance(target, ast.Name):
            self.variables.pop(target.id, None)
            if path is not None:
                self.variables[target.id] = path
        elif (
            isinstance(target, ast.Attribute)
            and isinstance(target.value, ast.Name)
            and target.value.id == "self"
            and path
        ):
            self.fields[target.attr] = path

    # where values get names

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name == "tensorrt":
                self.variables[alias.asname or alias.name] = ()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names if node.module == "tensorrt" else ():
            self.variables[alias.asname or alias.name] = (alias.name,)
            self.uses.append(Use((alias.name,), node.lineno))

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self.bind(target, self.path(node.value))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        self.bind(node.target, self.annotated(node.annotation))

    def visit_withitem(self, node: ast.withitem) -> None:
        self.generic_visit(node)
        if node.optional_vars is not None:
            self.bind(node.optional_vars, self.path(node.context_expr))

    def visit_FunctionDef(self, node: Function) -> None:
        outside = dict(self.variables)
        if result := self.annotated(node.returns):
            self.results[node.name] = result
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            if argument.arg != "trt":
                self.bind(ast.Name(argument.arg), self.annotated(argument.annotation))
        self.generic_visit(node)
        self.variables = outside

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for base in filter(None, map(self.path, node.bases)):
            methods = [part for part in node.body if isinstance(part, Function) and not part.name.startswith("_")]
            self.uses += [Use((*base, method.name), method.lineno) for method in methods]
        for part in node.body:
            if not isinstance(part, ast.AnnAssign) or not isinstance(part.target, ast.Name):
                continue
            if path := self.annotated(part.annotation):
                self.fields[part.target.id] = path
        outside = dict(self.variables)
        self.generic_visit(node)
        self.variables = outside

    # where they are used

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        path = self.path(node)
        if path and not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            self.uses.append(Use(path, node.lineno))

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if path := self.path(node.func):
            hidden = any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords)
            keywords = tuple(keyword.arg or "" for keyword in node.keywords)
            self.uses.append(Use(path, node.lineno, None if hidden else keywords, None if hidden else len(node.args)))
        elif _called(node) in ("hasattr", "getattr") and isinstance(node.args[1], ast.Constant):
            base = self.path(node.args[0])
            optional = _called(node) == "hasattr" or len(node.args) == 3
            if base is not None:
                self.uses.append(Use((*base, str(node.args[1].value)), node.lineno, optional=optional))


def _called(node: ast.Call) -> str:
    """The name of a function of this file, or of a method."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr if isinstance(node.func.value, ast.Name) and node.func.value.id == "self" else ""
    return node.func.id if isinstance(node.func, ast.Name) else ""
