// SPDX-License-Identifier: MIT OR Apache-2.0
//! Appends to one register of a simulated machine, again and again.

use core::time::Duration;
use std::time::Instant;

use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::{Algorithm, Banks, Powers, Register, RegisterId};
use tsm_sim::{Platform, Row, Simulated};

use crate::input;

/// Appends to a log before its slice is taken anew.
const LOG: usize = 10_000;
const REGISTER: RegisterId = RegisterId(0);

/// A machine with one register, a slice for its log, and records to append.
pub struct Appender {
    machine: Simulated,
    storage: Vec<u8>,
    records: Vec<String>,
}

impl Appender {
    /// For a register with these banks.
    #[must_use]
    pub fn new(banks: &[Algorithm]) -> Self {
        let banks = Banks::new(banks).expect("distinct banks");
        let row = Row::kept(Register::runtime("rtmr", banks).with(Powers::DIRECT));
        let platform = Platform::new("sim:bench", vec![row], 0).expect("a table");
        let records = (0..64).map(input::record).collect();
        // Each record takes its line, and a blank line that separates it from the one before.
        Self { machine: Simulated::new(platform), storage: vec![0; 100 + LOG * 84], records }
    }

    /// How long so many appends take. Making a new log and its first append, which captures the
    /// register, are not counted.
    pub fn append(&mut self, times: usize) -> Duration {
        let mut all = Duration::ZERO;
        let mut left = times;
        while left > 0 {
            let turn = left.min(LOG - 4);
            left -= turn;
            let slice = SliceStorage::new(&mut self.storage);
            let mut log = RecordLog::new(slice, Limits::DEFAULT);
            log.append(&mut self.machine, REGISTER, b"first").expect("room");
            let start = Instant::now();
            for record in self.records.iter().cycle().take(turn) {
                log.append(&mut self.machine, REGISTER, record.as_bytes()).expect("room");
            }
            all += start.elapsed();
        }
        all
    }
}
