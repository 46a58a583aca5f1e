"""
The Python environments of the peers, which `make bench-peers` makes: they never mix with ours.
"""

from pathlib import Path

_ROOT = Path(__file__).parents[3] / ".venv-peers"


def binary(environment: str, name: str) -> str:
    """Return the path of a program in an environment."""
    return str(_ROOT / environment / "bin" / name)


def package_folder(environment: str, package: str) -> Path:
    """Return where an environment keeps a package."""
    (found,) = (_ROOT / environment / "lib").glob(f"python3*/site-packages/{package}")
    return found
