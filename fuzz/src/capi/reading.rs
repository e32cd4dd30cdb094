// SPDX-License-Identifier: MIT OR Apache-2.0
//! The half of the C interface that reads logs, beside `tsm-core`.

use core::ptr::{null, null_mut};

use tsm_capi::*;
use tsm_core::log::{Line, Lines};
use tsm_core::replay::{self, Match};
use tsm_core::virtual_registers::Fold;
use tsm_core::{Algorithm, Banks, Digest, Register};

use super::{LIMIT, LIMITS, from_c, named, to_c};
use crate::input::Input;

/// The rest of the input as a log: its lines.
pub(super) fn lines(input: &mut Input<'_>) {
    let size = input.below(1000);
    let log = input.bytes(size);
    let mut iteration = tsm_lines { opaque: [0; TSM_LINES_WORDS] };
    let handle = &raw mut iteration;
    // SAFETY: all of it is there and stays.
    assert_eq!(unsafe { tsm_lines_init(handle, log.as_ptr().cast(), log.len(), LIMIT) }, TSM_OK);
    let zero = tsm_position { record: 0, line: 0, offset: 0 };
    let mut line = tsm_line { bytes: null(), size: 0, kind: 0, at: zero };
    for expected in Lines::new(log, LIMITS) {
        // SAFETY: an initialised iteration.
        let status = named(unsafe { tsm_lines_next(handle, &raw mut line) });
        match expected {
            Ok(expected) => {
                assert_eq!(status, TSM_OK);
                // SAFETY: what the library said.
                let bytes = unsafe { core::slice::from_raw_parts(line.bytes.cast(), line.size) };
                assert_eq!((bytes, line.at.line), (expected.bytes, expected.number));
                assert_eq!(line.at.offset, expected.offset);
                let kind = match expected.line {
                    Line::Blank => TSM_LINE_BLANK,
                    Line::Comment(_) => TSM_LINE_COMMENT,
                    Line::Note(_) => TSM_LINE_NOTE,
                    Line::Sync(_) => TSM_LINE_SYNC,
                    Line::Record(_) => TSM_LINE_RECORD,
                };
                assert_eq!(line.kind, kind);
            }
            Err(error) => {
                assert!((80..96).contains(&status));
                assert_eq!((line.at.line, line.at.offset), (error.line, error.offset));
                return;
            }
        }
    }
    // SAFETY: an initialised iteration.
    assert_eq!(unsafe { tsm_lines_next(handle, &raw mut line) }, TSM_END);
}

/// The rest of the input as a log: a virtual register.
pub(super) fn fold(input: &mut Input<'_>) {
    let size = input.below(1000);
    let log = input.bytes(size);
    let table =
        [Register::runtime("mr", Banks::new(&[Algorithm::Sha1, Algorithm::Sha256]).unwrap())];
    let register = tsm_register {
        name: c"mr".as_ptr(),
        banks: [TSM_SHA1, TSM_SHA256, 0, 0],
        powers: 0,
        initial: TSM_INITIAL_ZEROS,
    };
    let none = to_c(&Digest::zeros(Algorithm::Sha1));
    let mut value = tsm_virtual_value { records: 9, bank_count: 9, values: [none; TSM_MAX_BANKS] };
    let start = log.as_ptr().cast();
    let (entry, out) = (&raw const register, &raw mut value);
    // SAFETY: all of it is there.
    let status =
        named(unsafe { tsm_virtual_fold(start, log.len(), LIMIT, entry, out, null_mut()) });
    let mut fold = Fold::<2>::new(&table).unwrap();
    let folded = Lines::new(log, LIMITS).all(|line| match line.map(|line| line.line) {
        Ok(Line::Record(record)) => fold.record(record).is_ok(),
        Ok(_) => true,
        Err(_) => false,
    });
    assert_eq!(status == TSM_OK, folded);
    if folded {
        let values: Vec<Digest> = value.values[..value.bank_count].iter().map(from_c).collect();
        assert_eq!(values, fold.values().map(|v| v.value).collect::<Vec<_>>());
        assert_eq!(value.records, fold.records(0));
    } else {
        assert_eq!(value.records, 9);
    }
}

/// The log, perhaps with a byte changed, against the register.
pub(super) fn replayed(values: &[Digest], log: &[u8], banks: Banks, input: &mut Input<'_>) {
    let mut log = log.to_vec();
    let changed = input.short();
    if let Some(byte) = log.get_mut(changed) {
        *byte ^= input.byte();
    }
    let start: Vec<Digest> = banks.iter().map(Digest::zeros).collect();
    let expected = &values[..input.below(banks.len() + 1)];
    let (c_start, c_expected): (Vec<_>, Vec<_>) =
        (start.iter().map(to_c).collect(), expected.iter().map(to_c).collect());
    let mut result = core::mem::MaybeUninit::<tsm_replay_result>::uninit();
    // SAFETY: all of it is there.
    let status = named(unsafe {
        tsm_replay(
            log.as_ptr().cast(),
            log.len(),
            LIMIT,
            c_start.as_ptr(),
            c_start.len(),
            c_expected.as_ptr(),
            c_expected.len(),
            result.as_mut_ptr(),
        )
    });
    // SAFETY: written, because nothing was wrong with the values.
    let result = unsafe { result.assume_init() };
    let verified = replay::verify(&log, &start, expected, LIMITS, &mut ()).unwrap();
    let outcome = verified.outcome();
    assert_eq!(result.holds == 1, verified.holds() == Some(true));
    assert_eq!(result.accounts_for_all == 1, verified.accounts_for_all() == Some(true));
    assert_eq!(result.checked == 1, !expected.is_empty());
    assert_eq!(result.malformed == TSM_OK, verified.malformed().is_none());
    assert_eq!(result.records, outcome.records);
    assert_eq!(result.contradictions, outcome.contradictions);
    assert_eq!(result.unexplained_gaps, outcome.unexplained_gaps);
    let good = verified.malformed().is_none() && verified.holds() != Some(false);
    assert_eq!(status == TSM_OK, good);
    assert_eq!(result.bank_count, banks.len());
    for (bank, (value, found)) in result.banks.iter().zip(outcome.banks()) {
        assert_eq!(from_c(&bank.value), value);
        let number = match found {
            Match::Unchecked => TSM_UNCHECKED,
            Match::Complete => TSM_COMPLETE,
            Match::Prefix { .. } => TSM_PREFIX,
            Match::Mismatch => TSM_MISMATCH,
        };
        assert_eq!(bank.r#match, number);
    }
    let trusted = outcome.trusted().map_or(0, |(_, to)| to.offset);
    assert_eq!(result.trusted_to.offset, trusted);
}
