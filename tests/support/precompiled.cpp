// Its target holds the precompiled header; see precompiled.hpp.
