"""Adapt the installed matplotlib: `python3 adapt_matplotlib.py FOLDER`, once after pip has filled the folder.

* It makes a list of fonts at its first import and keeps it in the home directory. A run has a new one each time,
  and guests see no fonts but those of matplotlib. So it reads the list from its own folder instead.
* `pyplot.show()` has no display. If the request asks for artifacts, it writes figure-1.png and so on.
"""

import os
import py_compile
import sys
import tempfile
from pathlib import Path

_MADE_AT_IMPORT = "fontManager = _load_fontmanager()\n"
_READ_AT_IMPORT = 'fontManager = json_load(Path(__file__).with_name("fontlist.json"))\n'
_EXPORT = "\n\n@_Backend.export\n"
# As in a notebook, a figure is closed when it was shown. The variable is `packages.FIGURES_VARIABLE`.
_FILE_MANAGER = '''

class _FileManager(FigureManagerBase):
    """Shows figures as files."""

    _shown = 0

    @classmethod
    def pyplot_show(cls, *, block=None):
        import os
        from matplotlib._pylab_helpers import Gcf
        if "RUSTBOX_FIGURES" not in os.environ:
            return super().pyplot_show(block=block)
        for manager in Gcf.get_all_fig_managers():
            _FileManager._shown += 1
            manager.canvas.figure.savefig(f"figure-{_FileManager._shown}.png")
            Gcf.destroy(manager.num)


FigureCanvasAgg.manager_class = _FileManager
'''


def main(folder: Path) -> None:
    """Change the files. Raises ValueError for a version of matplotlib that does not fit."""
    matplotlib = folder / "matplotlib"
    _write_font_list(folder, matplotlib / "fontlist.json")
    _replace(matplotlib / "font_manager.py", {_MADE_AT_IMPORT: _READ_AT_IMPORT})
    _replace(matplotlib / "backends" / "backend_agg.py", {_EXPORT: _FILE_MANAGER + _EXPORT})


def _write_font_list(folder: Path, to: Path) -> None:
    with tempfile.TemporaryDirectory() as cache:
        # Without a path no program tells of the host's fonts.
        os.environ |= {"MPLCONFIGDIR": cache, "PATH": ""}
        sys.path.append(str(folder))
        from matplotlib import font_manager  # type: ignore[import-not-found] # noqa: PLC0415

        found = font_manager.fontManager.ttflist
        own = [entry for entry in found if Path(to.parent, entry.fname).is_relative_to(to.parent)]
        font_manager.fontManager.ttflist = own
        font_manager.json_dump(font_manager.fontManager, to)


def _replace(module: Path, texts: dict[str, str]) -> None:
    source = module.read_text(encoding="utf-8")
    for old, new in texts.items():
        if source.count(old) != 1:
            raise ValueError(f"{module} does not have exactly one {old!r}")
        source = source.replace(old, new)
    module.write_text(source, encoding="utf-8")
    py_compile.compile(str(module), doraise=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
