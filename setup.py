"""Only `pip install --editable .` makes sense here: what else setuptools would build lacks half of the project."""

import sys

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.sdist import sdist

REFUSAL = (
    "Balansity is an application that runs from its checkout: a wheel or an archive would lack its SQL, its templates "
    "and its Procfile. Clone the repository and run `make install`, or install requirements.txt and use bin/balansity."
)


class Wheel(bdist_wheel):
    """Still says how the editable installation is tagged."""

    def run(self) -> None:
        sys.exit(REFUSAL)


class Archive(sdist):
    def run(self) -> None:
        sys.exit(REFUSAL)


setup(cmdclass={"bdist_wheel": Wheel, "sdist": Archive})
