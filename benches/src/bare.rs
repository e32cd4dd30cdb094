// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hash crates' compression functions with nothing around them: the floor that other figures
//! are divided by.

use core::hint::black_box;

use tsm_core::Algorithm;

/// Compresses one block after the other, each into the state the one before left.
///
/// The block is always the same; the chain is in the state, as in the serial chain of a register.
pub fn chain(algorithm: Algorithm, compressions: usize) {
    match algorithm {
        Algorithm::Sha1 => {
            let (mut state, block) = ([1; 5], black_box([[2; 64]]));
            for _ in 0..compressions {
                sha1::block_api::compress(&mut state, &block);
            }
            black_box(state);
        }
        Algorithm::Sha256 => {
            let (mut state, block) = ([1; 8], black_box([[2; 64]]));
            for _ in 0..compressions {
                sha2::block_api::compress256(&mut state, &block);
            }
            black_box(state);
        }
        _ => {
            let (mut state, block) = ([1; 8], black_box([[2; 128]]));
            for _ in 0..compressions {
                sha2::block_api::compress512(&mut state, &block);
            }
            black_box(state);
        }
    }
}

/// How many compressions the hash of so many bytes takes (FIPS 180-4, section 5.1).
#[must_use]
pub const fn of_hash(algorithm: Algorithm, bytes: usize) -> usize {
    match algorithm {
        Algorithm::Sha1 | Algorithm::Sha256 => 1 + (bytes + 8) / 64,
        _ => 1 + (bytes + 16) / 128,
    }
}

/// How many compressions one extend takes.
#[must_use]
pub const fn of_extend(algorithm: Algorithm) -> usize {
    of_hash(algorithm, 2 * algorithm.size())
}
