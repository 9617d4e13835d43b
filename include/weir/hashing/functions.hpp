#pragma once

// All hash functions but md5, which needs a library: hashing/functions/md5.hpp.

#include "functions/classic.hpp"
#include "functions/crc32.hpp"
#include "functions/fnv.hpp"
#include "functions/jenkins.hpp"
#include "functions/murmur.hpp"
#include "functions/siphash.hpp"
#include "functions/xxh64.hpp"
#include "hash_function.hpp"
