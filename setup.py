# SPDX-License-Identifier: Apache-2.0
"""Makes the distribution hbm-runtime: hbm_runtime with what CMake builds of src/, without ROS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pybind11
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
# Builds happen outside of the source tree, where build/ is colcon's; gone when this process ends.
SCRATCH = tempfile.TemporaryDirectory(prefix="hbm-runtime-")

# What `hbm check` needs of the ROS package. The package itself, its __init__.py, is not among them:
# so Python prefers an installed ROS package, whole, wherever that is on the path (PEP 420).
CHECKING = ["hbm_runtime_ros.check", "hbm_runtime_ros.parameters"]


class CMakeBuild(build_ext):
    """Runs CMake on src/ and installs its results into the package."""

    def run(self) -> None:
        """Configures, builds and installs; replaces the compilation of `ext_modules`."""
        if self.inplace:
            sys.exit("An editable install is not supported: use `pip install .` or `make build`.")
        cmake = shutil.which("cmake")
        if cmake is None:
            sys.exit("No CMake was found, 3.22 or newer is needed: sudo apt install cmake")
        binary_dir = Path(self.build_temp).resolve()
        configure = [
            *("-S", str(ROOT / "src"), "-B", str(binary_dir)),
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DPython3_EXECUTABLE={sys.executable}",
            f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
        ]
        subprocess.run([cmake, *configure], check=True)
        jobs = str(self.parallel or os.cpu_count() or 1)
        subprocess.run([cmake, "--build", str(binary_dir), "--parallel", jobs], check=True)
        prefix = str(Path(self.build_lib).resolve())
        subprocess.run([cmake, "--install", str(binary_dir), "--prefix", prefix], check=True)


def version() -> str:
    """Returns the version of package.xml, the one place where it stands."""
    text = ElementTree.parse(ROOT / "package.xml").findtext("version")
    if not text:
        sys.exit("package.xml holds no version")
    return text


setup(
    name="hbm-runtime",
    version=version(),
    description="Neural network inference on D-Robotics BPUs, or on their simulation",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    author="The hbm_runtime maintainers",
    author_email="maintainers@hbm-runtime.org",
    python_requires=">=3.10",
    packages=[*find_packages(include=["hbm_runtime", "hbm_runtime.*"]), *CHECKING],
    package_data={"hbm_runtime": ["py.typed", "*.pyi", "schema/*.json"]},
    # Named so that the wheel gets this machine's tag; CMake knows the sources.
    ext_modules=[Extension("hbm_runtime._core", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
    options={"build": {"build_base": SCRATCH.name}, "egg_info": {"egg_base": SCRATCH.name}},
    install_requires=["numpy>=1.21"],
    extras_require={
        "check": ["pyyaml>=5.4"],
        "image": ["opencv-python-headless<5"],
        "simulator": ["onnxruntime>=1.20,<1.29"],
        "tools": ["onnx>=1.16,<2", "rich>=13"],
    },
    zip_safe=False,
)
