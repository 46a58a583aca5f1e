"""
Targets: each takes any octets and fails when something happens that must not.

The same targets are tried by hypothesis in ``make test`` and by atheris, led by coverage, in
``make fuzz``.
"""
