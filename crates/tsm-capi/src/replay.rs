// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay of a log against the register's value.

use core::ffi::c_void;

use tsm_core::log::LogError;
use tsm_core::replay::{self, Begins, Finding, FindingKind, Match, Position, Sink, Trailing};

use crate::digest::{Digests, tsm_digest};
use crate::log::limits;
use crate::memory::{self, Region, disjoint};
use crate::register::TSM_MAX_BANKS;
use crate::status::{TSM_ERR_DOES_NOT_HOLD, TSM_OK, code, of_banks, of_log, tsm_status};

/// Where in a log something is.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tsm_position {
    /// The record's number, from 1; 0 if nobody counted.
    pub record: u64,
    /// The line's number, from 1.
    pub line: u64,
    /// The byte offset of the line's first byte.
    pub offset: u64,
}

impl tsm_position {
    const START: Self = Self { record: 0, line: 0, offset: 0 };

    pub(crate) const fn of(at: Position) -> Self {
        Self { record: at.record, line: at.line, offset: at.offset }
    }

    const fn of_error(error: &LogError) -> Self {
        Self { record: 0, line: error.line, offset: error.offset }
    }
}

/// Match: no value was given to compare with.
pub const TSM_UNCHECKED: u32 = 0;
/// Match: the value is the one after the whole log.
pub const TSM_COMPLETE: u32 = 1;
/// Match: the value is the one after the first `matched` records; nothing vouches for the others,
/// and `trusted_from` says for which of these.
pub const TSM_PREFIX: u32 = 2;
/// Match: the value appears nowhere in the log.
pub const TSM_MISMATCH: u32 = 3;

/// One bank after a replay.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tsm_replayed_bank {
    /// The replayed value; it names the bank.
    pub value: tsm_digest,
    /// How the expected value stands to the log: `TSM_UNCHECKED` and so on.
    pub r#match: u32,
    /// For `TSM_PREFIX`: how many records stand before the place where the value was met.
    pub matched: u64,
    /// For `TSM_PREFIX`: how many stand behind it.
    pub beyond: u64,
}

/// Finding: there is none.
pub const TSM_FINDING_NONE: u32 = 0;
/// Finding: the log begins midway, its first capture is not the start value.
pub const TSM_FINDING_MIDWAY: u32 = 1;
/// Finding: a record before any capture; the log's front may be missing.
pub const TSM_FINDING_NO_SYNC: u32 = 2;
/// Finding: off-log extensions that their notes explain.
pub const TSM_FINDING_GAP_EXPLAINED: u32 = 3;
/// Finding: off-log extensions that their notes do not explain.
pub const TSM_FINDING_GAP_UNEXPLAINED: u32 = 4;
/// Finding: a capture contradicts the records before it.
pub const TSM_FINDING_CONTRADICTION: u32 = 5;
/// Finding: a record right after off-log extensions, without a capture between them.
pub const TSM_FINDING_UNCAPTURED: u32 = 6;
/// Finding: one that this header has no number for yet.
pub const TSM_FINDING_OTHER: u32 = 255;

/// No off-log extension is noted behind the last capture.
pub const TSM_TRAILING_NONE: u32 = 0;
/// The notes behind the last capture lead to the expected value.
pub const TSM_TRAILING_EXPLAINED: u32 = 1;
/// The notes behind the last capture do not lead to the expected value, or none was given.
pub const TSM_TRAILING_NOT_EXPLAINED: u32 = 2;

/// What a replay says.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tsm_replay_result {
    /// 1 if values were compared and the whole log explains them: every compared bank matches
    /// completely, no gap is unexplained, nothing contradicts, the log begins at the start value
    /// and is well-formed. Else 0.
    pub holds: u32,
    /// 1 if `holds`, and every extension of the register is a record of the log: no off-log
    /// extension is noted anywhere. Whoever supplies a log can hide a record behind a note of its
    /// digest, so ask this before a virtual register's value or a record's absence is believed.
    pub accounts_for_all: u32,
    /// 1 if there was something to compare, else 0.
    pub checked: u32,
    /// `TSM_OK`, or why the log stops being well-formed. The lines before that are replayed.
    pub malformed: tsm_status,
    /// Where it stops.
    pub malformed_at: tsm_position,
    /// How many records were replayed, SYNC records included.
    pub records: u64,
    /// 1 if the log begins at another value than the start value, else 0.
    pub midway: u32,
    /// Off-log extensions behind the last capture: `TSM_TRAILING_...`.
    pub trailing: u32,
    /// How many gaps their notes explain.
    pub explained_gaps: u64,
    /// How many gaps their notes do not explain.
    pub unexplained_gaps: u64,
    /// How many captures contradict the records before them.
    pub contradictions: u64,
    /// How many findings there are of any kind.
    pub findings: u64,
    /// The kind of the first one: `TSM_FINDING_...`.
    pub first_finding: u32,
    /// Where the first one is.
    pub first_finding_at: tsm_position,
    /// The lines for which the expected values vouch begin here and end before `trusted_to`. Both
    /// are 0 if there are none.
    pub trusted_from: tsm_position,
    /// See `trusted_from`.
    pub trusted_to: tsm_position,
    /// How many of `banks` are used.
    pub bank_count: usize,
    /// The banks, in the order of the start values.
    pub banks: [tsm_replayed_bank; TSM_MAX_BANKS],
}

#[derive(Default)]
struct Findings {
    count: u64,
    first: Option<Finding>,
}

impl Sink for Findings {
    fn finding(&mut self, finding: Finding) {
        self.count = self.count.saturating_add(1);
        self.first.get_or_insert(finding);
    }
}

/// Replays the `size` bytes of a log at `log` from the `start` values (one per bank of the register,
/// zeros for most registers) and compares with the `expected` values (of all banks or some; none to
/// compute only). What comes of it is written to `result`.
///
/// `record_limit` is the longest line in bytes; 0 stands for `TSM_RECORD_LIMIT`. A log proves nothing
/// by itself: `expected` must come from the register, or from signed evidence.
///
/// Returns `TSM_OK` if the log holds, or if it is well-formed and nothing was to be compared. Returns
/// `TSM_ERR_DOES_NOT_HOLD` or what is wrong with the log: then `result` is written too. Returns
/// `TSM_ERR_NO_BANK`, `TSM_ERR_DOUBLE_BANK`, `TSM_ERR_NO_START`, `TSM_ERR_ALGORITHM` or what is wrong
/// with a pointer: then it is not.
///
/// # Safety
///
/// `log` is readable for `size` bytes, `start` and `expected` for so many digests (each may be NULL
/// if that is 0), and nobody changes them during the call; `result` is writable.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "C has no slices")]
pub unsafe extern "C" fn tsm_replay(
    log: *const c_void,
    size: usize,
    record_limit: usize,
    start: *const tsm_digest,
    start_count: usize,
    expected: *const tsm_digest,
    expected_count: usize,
    result: *mut tsm_replay_result,
) -> tsm_status {
    let log = log.cast::<u8>();
    let replay = || {
        let starts = Region::of(start, start_count)?;
        let expectation = Region::of(expected, expected_count)?;
        disjoint(&[Region::one(result)?], &[Region::of(log, size)?, starts, expectation])?;
        // SAFETY: the caller vouches for the log.
        let log = unsafe { memory::slice(log, size) }?;
        // SAFETY: the caller vouches for the start values.
        let start = Digests::of(unsafe { memory::slice(start, start_count) }?)?;
        // SAFETY: the caller vouches for the expected values.
        let expected = Digests::of(unsafe { memory::slice(expected, expected_count) }?)?;
        let (answer, status) = verify(log, record_limit, &start, &expected)?;
        // SAFETY: the caller vouches for the target, which overlaps nothing.
        unsafe { memory::write(result, answer) }?;
        if status == TSM_OK { Ok(()) } else { Err(status) }
    };
    code(replay())
}

/// The result, and the status that goes with it.
fn verify(
    log: &[u8],
    record_limit: usize,
    start: &Digests,
    expected: &Digests,
) -> crate::status::Result<(tsm_replay_result, tsm_status)> {
    let mut findings = Findings::default();
    let (start, expected) = (start.as_slice(), expected.as_slice());
    let verified = replay::verify(log, start, expected, limits(record_limit), &mut findings);
    let verified = verified.map_err(of_banks)?;
    let (outcome, malformed) = (verified.outcome(), verified.malformed());
    let mut banks = [tsm_replayed_bank {
        value: tsm_digest::NONE,
        r#match: TSM_UNCHECKED,
        matched: 0,
        beyond: 0,
    }; TSM_MAX_BANKS];
    let mut bank_count = 0_usize;
    for (to, (value, found)) in banks.iter_mut().zip(outcome.banks()) {
        to.value = tsm_digest::of(&value);
        to.r#match = match found {
            Match::Unchecked => TSM_UNCHECKED,
            Match::Complete => TSM_COMPLETE,
            Match::Prefix { matched, beyond } => {
                (to.matched, to.beyond) = (matched, beyond);
                TSM_PREFIX
            }
            Match::Mismatch => TSM_MISMATCH,
        };
        bank_count = bank_count.saturating_add(1);
    }
    let (from, to) = outcome.trusted().unwrap_or_default();
    let first = findings.first;
    let answer = tsm_replay_result {
        holds: u32::from(verified.holds() == Some(true)),
        accounts_for_all: u32::from(verified.accounts_for_all() == Some(true)),
        checked: u32::from(verified.holds().is_some()),
        malformed: malformed.map_or(TSM_OK, |error| of_log(error.kind)),
        malformed_at: malformed.as_ref().map_or(tsm_position::START, tsm_position::of_error),
        records: outcome.records,
        midway: u32::from(outcome.begins == Begins::Midway),
        trailing: match outcome.trailing {
            Trailing::None => TSM_TRAILING_NONE,
            Trailing::Explained => TSM_TRAILING_EXPLAINED,
            Trailing::NotExplained => TSM_TRAILING_NOT_EXPLAINED,
        },
        explained_gaps: outcome.explained_gaps,
        unexplained_gaps: outcome.unexplained_gaps,
        contradictions: outcome.contradictions,
        findings: findings.count,
        first_finding: first.map_or(TSM_FINDING_NONE, |finding| number(finding.kind)),
        first_finding_at: first.map_or(tsm_position::START, |f| tsm_position::of(f.at)),
        trusted_from: tsm_position::of(from),
        trusted_to: tsm_position::of(to),
        bank_count,
        banks,
    };
    let status = match verified.holds() {
        _ if answer.malformed != TSM_OK => answer.malformed,
        Some(false) => TSM_ERR_DOES_NOT_HOLD,
        Some(true) | None => TSM_OK,
    };
    Ok((answer, status))
}

const fn number(kind: FindingKind) -> u32 {
    match kind {
        FindingKind::Midway => TSM_FINDING_MIDWAY,
        FindingKind::NoSync => TSM_FINDING_NO_SYNC,
        FindingKind::GapExplained => TSM_FINDING_GAP_EXPLAINED,
        FindingKind::GapUnexplained => TSM_FINDING_GAP_UNEXPLAINED,
        FindingKind::Contradiction => TSM_FINDING_CONTRADICTION,
        FindingKind::Uncaptured => TSM_FINDING_UNCAPTURED,
        _ => TSM_FINDING_OTHER,
    }
}
