// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ACPI table CCEL, and appending to a log that is already there.

use tsm_core::{Algorithm, Digest};
use tsm_eventlog::tcg::{EventType, Log};
use tsm_tdx::ccel::{Ccel, LogArea};
use tsm_tdx::leaf::Leaf;
use tsm_tdx::{Call, Error, Registers, RtmrIndex, Td, Tdcall};

/// Input: a table of 56 bytes, and then a log's area.
pub fn tdx_ccel(data: &[u8]) {
    let (table, area) = data.split_at(data.len().min(56));
    located(table);
    located(data);
    appended(area);
}

fn located(table: &[u8]) {
    let found = LogArea::of_table(table);
    let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let sound = table.len() >= 56
        && table.starts_with(b"CCEL")
        && table[4..8] == (table.len() as u32).to_le_bytes()
        && sum == 0
        && table[36] == 2;
    let number = |at: usize| u64::from_le_bytes(table[at..at + 8].try_into().unwrap());
    match found {
        Err(error) => {
            let size = sound.then(|| number(40));
            assert!(
                size.is_none_or(|size| size < 65 || number(48).checked_add(size).is_none()),
                "{error}"
            );
            assert!(error.offset().expect("a place") < 56);
        }
        Ok(area) => {
            assert!(sound);
            assert_eq!((area.size as u64, area.address.0), (number(40), number(48)));
        }
    }
}

fn appended(area: &[u8]) {
    let mut spoiled = area.to_vec();
    let mut module = Module { value: Digest::zeros(Algorithm::Sha384), extended: 0 };
    let mut td = Td::new(&mut module).expect("it always answers");
    let Ok(mut log) = Ccel::resume(&mut spoiled) else { return };
    let events = Log::open(area).expect("it was resumed").count();
    let data = b"one more";
    match log.measure(&mut td, RtmrIndex::RTMR1, EventType::IPL, data) {
        Err(_) => {
            assert_eq!(spoiled, area, "nothing of it");
            assert_eq!(module.extended, 0);
        }
        Ok(()) => {
            let last = Log::open(&spoiled).expect("a log").map(Result::unwrap).last().unwrap();
            assert_eq!(Log::open(&spoiled).expect("a log").count(), events + 1);
            assert_eq!((last.index(), last.data()), (2, &data[..]));
            let mut value = Digest::zeros(Algorithm::Sha384);
            value.extend(&last.digest(Algorithm::Sha384).expect("its bank")).unwrap();
            assert_eq!((module.value, module.extended), (value, 1));
        }
    }
}

/// A module with one register.
struct Module {
    value: Digest,
    extended: u32,
}

impl Tdcall for Module {
    fn call(&mut self, call: Call<'_>) -> Result<Registers, Error> {
        let mut after = *call.registers();
        after.rax = 0;
        match call.leaf() {
            Leaf::VP_INFO => after.rcx = 52,
            Leaf::MR_RTMR_EXTEND => {
                let bytes = call.operands().next().expect("its buffer").memory().as_bytes();
                let digest = Digest::from_bytes(Algorithm::Sha384, bytes).expect("48 bytes");
                self.value.extend(&digest).expect("of its bank");
                self.extended += 1;
            }
            other => unreachable!("{other}"),
        }
        Ok(after)
    }
}
