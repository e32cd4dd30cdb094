// SPDX-License-Identifier: MIT OR Apache-2.0
//! One realm: its memory, what is done in it, and what is printed of that.

use core::fmt::Write as _;

use bare::{Exit, MeasuredStack, Once, Page, Serial, print_log, print_value, run_all};
use tsm_cca::{Granule, RemIndex};
use tsm_core::hex::Hex;
use tsm_core::provider::Provider as _;
use tsm_core::{Algorithm, Digest};

use crate::jobs::{self, Cca, Machine};

/// 16 KiB: what checks a token uses almost half of that.
pub(crate) const STACK_WORDS: usize = 2048;

/// Does everything in order and prints the logs, the registers' values, and the token.
pub(crate) fn run(
    hash: Algorithm,
    memory: &mut Memory,
    stack: &mut MeasuredStack<STACK_WORDS>,
) -> Exit {
    let _ = writeln!(Serial, "a realm of {hash}");
    let mut machine = Machine::new(hash, memory);
    let worst = run_all(stack, group(hash), &jobs::all(), &mut machine);
    if let Some(registers) = &mut machine.registers {
        let version = registers.realm_mut().version();
        let _ = writeln!(Serial, "provider {}, RSI {version}", registers.name());
    }
    print_log(name(hash, RemIndex::REM2), machine.rem2_log());
    print_log(name(hash, RemIndex::REM3), machine.rem3_log());
    print_value("start", name(hash, RemIndex::REM3), machine.rem3_start);
    for index in [RemIndex::REM2, RemIndex::REM3] {
        let registers = machine.registers.as_mut();
        let value = registers.and_then(|registers| registers.value(Cca::rem(index), hash).ok());
        print_value("register", name(hash, index), value.unwrap_or(Digest::zeros(hash)));
    }
    let _ = writeln!(Serial, "TOKEN {hash} {}", Hex(machine.token()));
    worst
}

/// What stands before a job's name.
const fn group(hash: Algorithm) -> &'static str {
    match hash {
        Algorithm::Sha512 => "sha512/",
        _ => "sha256/",
    }
}

/// What a register is called in the output.
const fn name(hash: Algorithm, index: RemIndex) -> &'static str {
    match (hash, index) {
        (Algorithm::Sha512, RemIndex::REM2) => "sha512/rem2",
        (Algorithm::Sha512, _) => "sha512/rem3",
        (_, RemIndex::REM2) => "sha256/rem2",
        _ => "sha256/rem3",
    }
}

static GRANULE: Once<Granule> = Once::new(Granule::new());
static REM2_PAGE: Once<Page> = Once::new(Page::ZEROS);
static REM3_PAGE: Once<Page> = Once::new(Page::ZEROS);
static TOKEN: Once<Page> = Once::new(Page::ZEROS);

/// The realm's memory.
pub(crate) struct Memory {
    pub(crate) granule: &'static mut Granule,
    pub(crate) rem2_page: &'static mut [u8; Page::SIZE],
    pub(crate) rem3_page: &'static mut [u8; Page::SIZE],
    pub(crate) token: &'static mut [u8; Page::SIZE],
}

impl Memory {
    /// All of it, once.
    pub(crate) fn take() -> Option<Self> {
        Some(Self {
            granule: GRANULE.take()?,
            rem2_page: &mut REM2_PAGE.take()?.0,
            rem3_page: &mut REM3_PAGE.take()?.0,
            token: &mut TOKEN.take()?.0,
        })
    }
}
