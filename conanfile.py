import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain
from conan.tools.files import copy, load, rmdir


class Weir(ConanFile):
    name = "weir"
    description = "Load-balancing algorithms for C++20, header-only"
    license = "BSL-1.0"
    topics = ("load-balancing", "consistent-hashing", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"with_asio": [True, False]}
    default_options = {"with_asio": False}
    exports_sources = "CMakeLists.txt", "LICENSE", "cmake/*", "include/*"
    no_copy_source = True

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, "include", "weir", "version.hpp"))
        self.version = ".".join(re.findall(r"#define WEIR_VERSION_[A-Z]+ (\d+)", header))

    def requirements(self):
        if self.options.with_asio:
            self.requires("boost/[>=1.81]", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in "TESTS", "EXAMPLES", "BENCHMARKS":
            toolchain.cache_variables[f"WEIR_BUILD_{part}"] = False
        toolchain.generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        rmdir(self, os.path.join(self.package_folder, "share"))  # Conan makes the CMake files of its consumers

    def package_id(self):
        self.info.clear()

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "weir")
        weir = self.cpp_info.components["weir"]
        weir.set_property("cmake_target_name", "weir::weir")
        weir.bindirs = weir.libdirs = []
        if self.settings.os in ("Linux", "FreeBSD"):
            weir.system_libs = ["pthread"]
        if self.options.with_asio:
            asio = self.cpp_info.components["asio"]
            asio.set_property("cmake_target_name", "weir::asio")
            asio.requires = ["weir", "boost::headers"]
            asio.bindirs = asio.libdirs = []
