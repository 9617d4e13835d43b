#pragma once

// The one place the version is written. CMake reads these three lines; packages take it from CMake.

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0

/// The inline namespace that keeps two versions of weir apart in one program.
#define WEIR_ABI v0
