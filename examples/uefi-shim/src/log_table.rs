// SPDX-License-Identifier: MIT OR Apache-2.0
//! The log as an EFI configuration table, for whoever is started next and for the kernel after it.
//!
//! The table's GUID is [`GUID`]; it points to this, little endian:
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 8 | `TSM LOG` and a NUL |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | size of this header, 96: the log begins there |
//! | 16 | 4 | capacity in bytes of what follows the header |
//! | 20 | 4 | length in bytes of the log |
//! | 24 | 8 | reserved, 0 |
//! | 32 | 64 | the register's full name, `tpm/pcr8`, padded with NULs |
//! | 96 | | the record log (`docs/spec/record-log.md`) |
//!
//! It lies in memory of type EfiACPIReclaimMemory, which an operating system keeps until it has
//! read its tables. Nothing protects it: only a replay against the register makes it trustworthy.

use core::ffi::c_void;
use core::slice;

use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::provider::{Provider, RegisterId};
use uefi::boot::{self, MemoryType};
use uefi::{Error, Guid, Result, Status, guid, system};

use crate::pages;

/// GUID of the configuration table.
pub const GUID: Guid = guid!("69f90b57-1d06-4825-ace0-08a0a15c3f1b");

const MAGIC: &[u8; 8] = b"TSM LOG\0";
const VERSION: u32 = 1;
const HEADER: usize = 96;
const NAME: usize = 64;
const SIZE: usize = 16 * 1024;

/// The table while it is written.
pub struct LogTable {
    memory: &'static mut [u8],
    length: usize,
}

impl LogTable {
    /// An empty table.
    ///
    /// # Errors
    ///
    /// The firmware's, if it has no memory.
    pub fn allocate() -> Result<Self> {
        Ok(Self { memory: pages::allocate(MemoryType::ACPI_RECLAIM, SIZE)?, length: 0 })
    }

    /// Appends `record` to the log and extends the register.
    ///
    /// # Errors
    ///
    /// `SECURITY_VIOLATION` whatever the reason: the record is not measured.
    pub fn append<P: Provider>(&mut self, provider: &mut P, record: &[u8]) -> Result<()> {
        let register = RegisterId(0);
        let failed = || Error::from(Status::SECURITY_VIOLATION);
        let (header, page) = self.memory.split_at_mut_checked(HEADER).ok_or_else(failed)?;
        let storage = SliceStorage::with_content(page, self.length).ok_or_else(failed)?;
        let mut log = RecordLog::new(storage, Limits::DEFAULT);
        let done = log.append(provider, register, record);
        self.length = log.storage().as_bytes().len();
        let name = provider.describe(register).map_or("", |register| register.name);
        write_name(header, &[provider.name(), "/", name]);
        // Exactly this one record: an empty one or one of several lines is no measurement.
        done.ok().filter(|done| done.records == 1).map(drop).ok_or_else(failed)
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &[u8] {
        self.memory.get(HEADER..HEADER + self.length).unwrap_or_default()
    }

    /// The register's full name.
    #[must_use]
    pub fn name(&self) -> &str {
        name(self.memory)
    }

    /// Makes it a configuration table.
    ///
    /// # Errors
    ///
    /// The firmware's.
    pub fn publish(self) -> Result<()> {
        let number = |n: usize| u32::try_from(n).map(u32::to_le_bytes).unwrap_or_default();
        for (at, field) in [
            (8, VERSION.to_le_bytes()),
            (12, number(HEADER)),
            (16, number(self.memory.len() - HEADER)),
            (20, number(self.length)),
        ] {
            self.memory[at..at + 4].copy_from_slice(&field);
        }
        self.memory[..8].copy_from_slice(MAGIC);
        // SAFETY: the memory is never freed, and `self`, the only way to write it, is gone. The
        // table has the form that its GUID stands for.
        unsafe { boot::install_configuration_table(&GUID, self.memory.as_ptr().cast::<c_void>()) }
    }
}

fn write_name(header: &mut [u8], parts: &[&str]) {
    let bytes = parts.iter().flat_map(|part| part.bytes()).chain(core::iter::repeat(0));
    // The last byte stays NUL.
    let place = header.iter_mut().skip(HEADER - NAME).take(NAME - 1);
    place.zip(bytes).for_each(|(to, from)| *to = from);
}

/// A published table.
pub struct Published<'m> {
    memory: &'m [u8],
}

impl Published<'static> {
    /// Finds it.
    #[must_use]
    pub fn find() -> Option<Self> {
        let address = system::with_config_table(|tables| {
            tables.iter().find(|table| table.guid == GUID).map(|table| table.address.cast::<u8>())
        })?;
        if address.is_null() {
            return None;
        }
        // SAFETY: what has this GUID begins with the header, and is never freed.
        let header = unsafe { &*address.cast::<[u8; HEADER]>() };
        let number = |at| field(header, at).and_then(|n| usize::try_from(n).ok());
        if !header.starts_with(MAGIC) || field(header, 8) != Some(VERSION) {
            return None;
        }
        let size = number(12)?.checked_add(number(16)?)?;
        if number(12)? < HEADER || number(20)? > number(16)? {
            return None;
        }
        // SAFETY: as above; the header says how long it is.
        Some(Self { memory: unsafe { slice::from_raw_parts(address, size) } })
    }
}

impl Published<'_> {
    /// The register's full name.
    #[must_use]
    pub fn name(&self) -> &str {
        name(self.memory)
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &[u8] {
        let number = |at| field(self.memory, at).and_then(|n| usize::try_from(n).ok());
        let log = || self.memory.get(number(12)?..)?.get(..number(20)?);
        log().unwrap_or_default()
    }
}

fn name(memory: &[u8]) -> &str {
    let name = memory.get(HEADER - NAME..HEADER).unwrap_or_default();
    let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
    name.get(..end).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default()
}

fn field(memory: &[u8], at: usize) -> Option<u32> {
    memory.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}
