// SPDX-License-Identifier: MIT OR Apache-2.0
//! What holds of every saved state, whatever machine it is of. For tests.

use alloc::vec::Vec;
use core::fmt;

use super::{LoadError, LoadErrorKind};

/// How machines of a kind are saved and loaded.
pub(crate) struct Saved<T> {
    pub(crate) save: fn(&T) -> Vec<u8>,
    pub(crate) load: fn(&[u8]) -> Result<T, LoadError>,
}

impl<T: PartialEq + fmt::Debug> Saved<T> {
    /// All of them, of this machine. The work is the square of the state's size.
    #[track_caller]
    pub(crate) fn laws(&self, machine: &T) {
        self.there_and_back(machine);
        let state = (self.save)(machine);
        self.every_truncation_is_refused(&state);
        self.no_changed_byte_panics_or_is_lost(&state);
    }

    /// What was saved is loaded, and says that it is simulated.
    #[track_caller]
    pub(crate) fn there_and_back(&self, machine: &T) {
        let state = (self.save)(machine);
        assert!(state.starts_with(b"SIMULATED ") && state.is_ascii());
        assert_eq!((self.load)(&state).as_ref(), Ok(machine));
    }

    #[track_caller]
    fn every_truncation_is_refused(&self, state: &[u8]) {
        for end in 0..state.len() {
            let error = (self.load)(&state[..end]).unwrap_err();
            let expected = match error.line {
                1 => LoadErrorKind::NotSimulated,
                2 => LoadErrorKind::Format,
                _ => LoadErrorKind::Length,
            };
            assert_eq!(error.kind, expected, "cut at {end}");
        }
    }

    /// Whatever a changed byte does, a state that loads says again what it said.
    #[track_caller]
    fn no_changed_byte_panics_or_is_lost(&self, state: &[u8]) {
        let mut changed = state.to_vec();
        for at in 0..state.len() {
            for byte in [b'\n', b' ', b'0', b'f', b'F', 0, 0xFF, state[at] ^ 1, state[at] ^ 0x20] {
                changed[at] = byte;
                if let Ok(machine) = (self.load)(&changed) {
                    assert_eq!((self.save)(&machine), changed);
                }
            }
            changed[at] = state[at];
        }
    }

    /// A state in which something stands in another's place is refused, with the kind and line.
    #[track_caller]
    pub(crate) fn refused(&self, state: &str, cases: &[(&str, &str, LoadErrorKind, u32)]) {
        for &(from, to, kind, line) in cases {
            assert!(state.contains(from), "{from}");
            let changed = state.replace(from, to);
            let error = (self.load)(changed.as_bytes()).unwrap_err();
            assert_eq!(error, LoadError { kind, line }, "{changed}");
        }
    }
}
