"""Give installed data packages a list of fonts: `python3 font_list.py FOLDER`, once after pip has filled the folder.

matplotlib makes this list at its first import and keeps it in the home directory. A run has a new one each time,
and guests see no fonts but those of matplotlib. So matplotlib reads the list from its own folder instead.
"""

import os
import py_compile
import sys
import tempfile
from pathlib import Path

_MADE_AT_IMPORT = "fontManager = _load_fontmanager()\n"
_READ_AT_IMPORT = 'fontManager = json_load(Path(__file__).with_name("fontlist.json"))\n'


def main(folder: Path) -> None:
    """Make the list, and let the module read it. Raises ValueError for a version of matplotlib that does not fit."""
    module = folder / "matplotlib" / "font_manager.py"
    source = module.read_text(encoding="utf-8")
    if source.count(_MADE_AT_IMPORT) != 1:
        raise ValueError(f"{module} does not have the line {_MADE_AT_IMPORT!r}")
    with tempfile.TemporaryDirectory() as cache:
        # Without a path no program tells of the host's fonts.
        os.environ |= {"MPLCONFIGDIR": cache, "PATH": ""}
        sys.path.append(str(folder))
        from matplotlib import font_manager  # type: ignore[import-not-found] # noqa: PLC0415

        found = font_manager.fontManager.ttflist
        own = [entry for entry in found if Path(module.parent, entry.fname).is_relative_to(module.parent)]
        font_manager.fontManager.ttflist = own
        font_manager.json_dump(font_manager.fontManager, module.with_name("fontlist.json"))
    module.write_text(source.replace(_MADE_AT_IMPORT, _READ_AT_IMPORT), encoding="utf-8")
    py_compile.compile(str(module), doraise=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
