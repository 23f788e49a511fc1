"""The template of the data slot: an interpreter that has imported data packages, and forks each run from it."""

import re
from collections.abc import Iterable

from sandbox_runtime.jail import JailSpec, WarmStart
from sandbox_runtime.languages.data.packages import GUEST_PATH
from sandbox_runtime.languages.entry import Language

# The guess is only a hint: with a wrong one a program imports the packages itself. Each line is read once.
_IMPORTS = re.compile(
    rb"^[ \t]*+(?:import|from)[ \t][^\n]*?\b(?:numpy|pandas|matplotlib|pylab|seaborn|scipy|sklearn|PIL)\b", re.MULTILINE
)
# The packages that most programs import, and none that a fork of all would pay for: its costs grow with its mappings.
# matplotlib wants a writable folder, and the template's root has none. The first plot fills caches; those of fonts
# have open files, which a run closes.
_SETUP = f"""
import os
os.environ["MATPLOTLIBRC"] = "{GUEST_PATH}/matplotlib/mpl-data/matplotlibrc"
import matplotlib
del os.environ["MATPLOTLIBRC"]
folders = matplotlib.get_configdir, matplotlib.get_cachedir
matplotlib.get_configdir = matplotlib.get_cachedir = lambda: os.environ["MPLCONFIGDIR"]
import matplotlib.backends.backend_agg, matplotlib.font_manager, matplotlib.pyplot
matplotlib.get_configdir, matplotlib.get_cachedir = folders
import io, numpy, numpy.linalg, numpy.random, pandas, PIL.Image, PIL.PngImagePlugin
figure = matplotlib.pyplot.figure()
figure.subplots().plot([1, 2])
figure.savefig(io.BytesIO(), format="png")
matplotlib.pyplot.close("all")
del figure
matplotlib.font_manager._get_font.cache_clear()
after_fork = numpy.random.seed
"""


def data_start(languages: Iterable[Language]) -> WarmStart | None:
    """Return the command that the template of the data slot keeps warm. None: no data packages are installed."""
    for language in languages:
        if language.shown_folders and language.warm_imports:
            return WarmStart(language.run_argv, language.guest_environment, language.warm_imports, _SETUP)
    return None


def imports_packages(warm: WarmStart, spec: JailSpec) -> bool:
    """Whether a run of this command seems to import one of the packages."""
    if not warm.matches(spec.argv, spec.environment) or not spec.files:
        return False
    return _IMPORTS.search(spec.files[0].content) is not None
