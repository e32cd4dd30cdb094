// SPDX-License-Identifier: MIT OR Apache-2.0
//! A provider whose registers are memory.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use tsm_core::provider::{self, Lockable, Reporter, Writable};
use tsm_core::{Algorithm, Digest, ErrorKind, Powers, Provider, Register, RegisterId};

use crate::platform;
use crate::table::{self, Platform, Source};

/// A simulated machine: a [`Platform`] and the values of its registers.
///
/// Extending does not allocate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Simulated {
    platform: Platform,
    pub(crate) cells: Vec<Cell>,
    pub(crate) user_data: Box<[u8]>,
}

/// The state of one register.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    pub(crate) value: CellValue,
    pub(crate) locked: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum CellValue {
    /// One value per bank, in bank order.
    Digests(Box<[Digest]>),
    /// An unhashed value.
    Bytes(Box<[u8]>),
    /// Nothing is kept here.
    Derived,
}

impl Simulated {
    /// The machine of this name, freshly started: one of [`platform::NAMES`], without `sim:`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        platform::by_name(name).map(Self::new)
    }

    /// A machine of this platform, freshly started.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        let cells = platform.rows().iter().map(|row| start(&platform, row)).collect();
        let user_data = vec![0; platform.user_data()].into();
        Self { platform, cells, user_data }
    }

    /// What is simulated.
    #[must_use]
    pub const fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Starts the machine again: every value is the initial one, nothing is locked.
    pub fn reset(&mut self) {
        *self = Self::new(self.platform.clone());
    }

    /// Sets a kept value past every power, as the one who builds a machine can: a static register
    /// before software runs, or a runtime register that firmware has measured into.
    ///
    /// # Errors
    ///
    /// `NoSuchRegister`, `NoSuchBank`, `WrongSize`; `NotPermitted` for a value that derives from
    /// others.
    pub fn preset(
        &mut self,
        name: &str,
        bank: Option<Algorithm>,
        value: &[u8],
    ) -> Result<(), ErrorKind> {
        let id = self.find(name).ok_or(ErrorKind::NoSuchRegister)?;
        let size = self.describe(id).and_then(|register| register.size(bank));
        if size.ok_or(ErrorKind::NoSuchBank)? != value.len() {
            return Err(ErrorKind::WrongSize);
        }
        let cell = self.cells.get_mut(id.index()).ok_or(ErrorKind::NoSuchRegister)?;
        match &mut cell.value {
            CellValue::Digests(digests) => {
                let digest = digests.iter_mut().find(|d| Some(d.algorithm()) == bank);
                copy(value, digest.ok_or(ErrorKind::NoSuchBank)?.as_bytes_mut());
            }
            CellValue::Bytes(bytes) => copy(value, bytes),
            CellValue::Derived => return Err(ErrorKind::NotPermitted),
        }
        Ok(())
    }

    /// The report over the machine's state: a header of [`Platform::REPORT_HEADER`] bytes that says
    /// what it is, the user data, and every kept value in the order of registers and banks.
    ///
    /// It proves nothing. It is not the platform's format either; that is the business of the
    /// platform's own simulator.
    #[must_use]
    pub fn simulated_report(&self) -> Vec<u8> {
        let name = self.platform.name();
        let text = alloc::format!("SIMULATED report of {name}: proves nothing\n");
        let mut report = text.into_bytes();
        report.resize(Platform::REPORT_HEADER, 0);
        report.extend_from_slice(&self.user_data);
        for cell in &self.cells {
            match &cell.value {
                CellValue::Digests(digests) => {
                    digests.iter().for_each(|digest| report.extend_from_slice(digest.as_bytes()));
                }
                CellValue::Bytes(bytes) => report.extend_from_slice(bytes),
                CellValue::Derived => {}
            }
        }
        report
    }

    fn has(&self, powers: Powers) -> bool {
        self.platform.rows().iter().any(|row| row.register.powers.contains(powers))
    }
}

fn start(platform: &Platform, row: &table::Row) -> Cell {
    let register = &row.register;
    let value = match row.source {
        Source::Kept | Source::MadeUp => {
            let bytes = |bank, size: usize| {
                let mut bytes = vec![0; size];
                if row.source == Source::MadeUp {
                    table::made_up(platform.name(), register.name, bank, &mut bytes);
                }
                bytes
            };
            match register.size(None) {
                Some(size) => CellValue::Bytes(bytes(None, size).into()),
                None => {
                    let start = |bank: Algorithm| {
                        let made = bytes(Some(bank), bank.size());
                        let made = Digest::from_bytes(bank, &made);
                        let initial = register.initial.value(bank);
                        let value = if row.source == Source::Kept { initial } else { made };
                        value.unwrap_or(Digest::zeros(bank))
                    };
                    CellValue::Digests(register.banks().iter().map(start).collect())
                }
            }
        }
        Source::UserData | Source::Report | Source::ReportDigest => CellValue::Derived,
    };
    Cell { value, locked: false }
}

impl Provider for Simulated {
    type Error = ErrorKind;

    fn name(&self) -> &str {
        self.platform.name()
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        self.platform.rows().get(id.index()).map(|row| row.register)
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), ErrorKind> {
        provider::check_read(self.describe(id).as_ref(), bank, out)?;
        let row = self.platform.rows().get(id.index()).ok_or(ErrorKind::NoSuchRegister)?;
        let cell = self.cells.get(id.index()).ok_or(ErrorKind::NoSuchRegister)?;
        match (&cell.value, row.source, bank) {
            (CellValue::Digests(digests), _, Some(bank)) => {
                let digest = digests.iter().find(|digest| digest.algorithm() == bank);
                copy(digest.ok_or(ErrorKind::NoSuchBank)?.as_bytes(), out);
            }
            (CellValue::Bytes(bytes), ..) => copy(bytes, out),
            (_, Source::UserData, _) => copy(&self.user_data, out),
            (_, Source::Report, _) => copy(&self.simulated_report(), out),
            (_, Source::ReportDigest, Some(bank)) => {
                copy(bank.hash(&self.simulated_report()).as_bytes(), out);
            }
            _ => return Err(ErrorKind::NoSuchBank),
        }
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), ErrorKind> {
        provider::check_extend(self.describe(id).as_ref(), digests)?;
        let cell = self.cells.get_mut(id.index()).ok_or(ErrorKind::NoSuchRegister)?;
        if cell.locked {
            return Err(ErrorKind::Locked);
        }
        let CellValue::Digests(values) = &mut cell.value else {
            return Err(ErrorKind::NotPermitted);
        };
        for digest in digests {
            // Every digest has its bank: that was checked, so this extends all of them.
            for value in values.iter_mut().filter(|v| v.algorithm() == digest.algorithm()) {
                value.extend(digest).map_err(|_| ErrorKind::NoSuchBank)?;
            }
        }
        Ok(())
    }

    fn as_writable(&mut self) -> Option<&mut dyn Writable<Error = ErrorKind>> {
        if self.has(Powers::WRITE) { Some(self) } else { None }
    }

    fn as_lockable(&mut self) -> Option<&mut dyn Lockable<Error = ErrorKind>> {
        if self.has(Powers::LOCK) { Some(self) } else { None }
    }

    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = ErrorKind>> {
        if self.platform.user_data() > 0 { Some(self) } else { None }
    }
}

impl Writable for Simulated {
    type Error = ErrorKind;

    fn write(&mut self, id: RegisterId, value: &[u8]) -> Result<(), ErrorKind> {
        let register = self.describe(id).ok_or(ErrorKind::NoSuchRegister)?;
        if !register.powers.contains(Powers::WRITE) {
            return Err(ErrorKind::NotPermitted);
        }
        if value.len() != self.user_data.len() {
            return Err(ErrorKind::WrongSize);
        }
        copy(value, &mut self.user_data);
        Ok(())
    }
}

impl Lockable for Simulated {
    type Error = ErrorKind;

    fn lock(&mut self, id: RegisterId) -> Result<(), ErrorKind> {
        let register = self.describe(id).ok_or(ErrorKind::NoSuchRegister)?;
        if !register.powers.contains(Powers::LOCK) {
            return Err(ErrorKind::NotPermitted);
        }
        self.cells.get_mut(id.index()).ok_or(ErrorKind::NoSuchRegister)?.locked = true;
        Ok(())
    }

    fn is_locked(&mut self, id: RegisterId) -> Result<bool, ErrorKind> {
        self.cells.get(id.index()).map(|cell| cell.locked).ok_or(ErrorKind::NoSuchRegister)
    }
}

impl Reporter for Simulated {
    type Error = ErrorKind;

    fn user_data_size(&mut self) -> usize {
        self.user_data.len()
    }

    fn report_size(&mut self) -> usize {
        self.platform.report_size()
    }

    /// User data shorter than its place is padded with zeros. It stays as the machine's user data.
    fn report(&mut self, user_data: &[u8], out: &mut [u8]) -> Result<usize, ErrorKind> {
        let size = self.platform.report_size();
        let target = out.get_mut(..size).ok_or(ErrorKind::WrongSize)?;
        if user_data.len() > self.user_data.len() {
            return Err(ErrorKind::WrongSize);
        }
        self.user_data.fill(0);
        copy(user_data, &mut self.user_data);
        copy(&self.simulated_report(), target);
        Ok(size)
    }
}

/// Copies as much as both hold.
fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
