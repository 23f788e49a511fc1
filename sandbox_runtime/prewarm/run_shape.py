"""The shape of a run: a run without the data of its request, as it is set up in advance."""

from dataclasses import replace

from sandbox_runtime.jail import InputFile, JailSpec

# Stands for the net namespace of any run with network.
_WITH_NETWORK = -1
# Stands for the files of any request.
_ANY = (InputFile("", 0),)


def shape_of(spec: JailSpec) -> JailSpec:
    """Return the run without its data. A waiting command is left out: it starts another way."""
    return replace(
        spec,
        files=(),
        inputs=_ANY if spec.inputs else (),
        inputs_folder="",
        variables=(),
        stdin=b"",
        waiting=None,
        pipes=None,
        overtime_secs=0,
        net_namespace=None if spec.net_namespace is None else _WITH_NETWORK,
        keeps_box=False,
        output_watch=None,
    )


def can_be_prewarmed(shape: JailSpec) -> bool:
    """Whether it has neither network nor files: a namespace is made for one run, and root places files."""
    return shape.net_namespace is None and not shape.inputs
