// SPDX-License-Identifier: MIT OR Apache-2.0
//! Platforms as tables: which registers there are and where their values come from.

use alloc::vec::Vec;
use core::fmt;

use tsm_core::{Algorithm, Banks, Digest, Powers, Register, Value, is_name};

/// A platform that can be simulated: its registers and the size of a report's user data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Platform {
    name: &'static str,
    rows: Vec<Row>,
    user_data: usize,
    choice: Banks,
}

/// One register of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The register.
    pub register: Register<'static>,
    /// Where its value comes from.
    pub source: Source,
}

/// Where a register's value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// It is kept, and starts as the description's initial value; from zeros where that is not
    /// known.
    Kept,
    /// It is kept, and starts as something made up: the hash of a text that begins with
    /// `SIMULATED` and names register and platform, repeated to the value's size.
    MadeUp,
    /// The user data that the next report contains.
    UserData,
    /// The report, computed at every read.
    Report,
    /// The digest of the report, computed at every read.
    ReportDigest,
}

impl Row {
    /// A register whose value is kept.
    #[must_use]
    pub const fn kept(register: Register<'static>) -> Self {
        Self { register, source: Source::Kept }
    }

    /// A register whose value is made up.
    #[must_use]
    pub const fn made_up(register: Register<'static>) -> Self {
        Self { register, source: Source::MadeUp }
    }

    /// A register that shows what derives from the machine's state.
    #[must_use]
    pub const fn derived(register: Register<'static>, source: Source) -> Self {
        Self { register, source }
    }
}

/// A table that does not describe a platform.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TableError {
    /// The platform's name does not begin with `sim:`, is longer than 32 bytes or is no name.
    Platform,
    /// The register with this number has a name that is none, or one that came before.
    Name(usize),
    /// The register with this number is said to be extensible and has no bank, to be writable and
    /// is not the user data, or to derive and does not permit it.
    Powers(usize),
    /// The register with this number has the wrong kind or size of value for its source.
    Value(usize),
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("a simulated platform's name is sim: and a short name"),
            Self::Name(n) => write!(f, "register {n}: no valid name, or not a new one"),
            Self::Powers(n) => write!(f, "register {n}: powers that its source does not have"),
            Self::Value(n) => write!(f, "register {n}: wrong kind or size of value"),
        }
    }
}

impl core::error::Error for TableError {}

impl Platform {
    /// A report's first bytes: a text that says what it is not, padded with NULs.
    pub const REPORT_HEADER: usize = 96;

    /// A platform with these registers, whose reports take `user_data` bytes of user data; no
    /// reports if that is 0.
    ///
    /// A row whose source is [`Source::Report`] gets the size that follows from the other rows,
    /// whatever its description says.
    ///
    /// # Errors
    ///
    /// [`TableError`] says what is wrong with the table.
    pub fn new(
        name: &'static str,
        mut rows: Vec<Row>,
        user_data: usize,
    ) -> Result<Self, TableError> {
        let good = name.strip_prefix("sim:").is_some_and(|n| is_name(n.as_bytes()));
        if !good || name.len() > 32 {
            return Err(TableError::Platform);
        }
        let report = report_size(&rows, user_data);
        for (n, row) in rows.iter_mut().enumerate() {
            if row.source == Source::Report {
                row.register.value = Value::Unhashed(report);
            }
            check(n, row, user_data)?;
        }
        let name_of = |row: &Row| row.register.name;
        for (n, row) in rows.iter().enumerate() {
            if rows.iter().take(n).any(|before| name_of(before) == name_of(row)) {
                return Err(TableError::Name(n));
            }
        }
        Ok(Self { name, rows, user_data, choice: Banks::NONE })
    }

    /// The same platform, made for a choice of banks: [`Simulated::save`](crate::Simulated::save)
    /// keeps it.
    #[must_use]
    pub(crate) const fn chosen(mut self, banks: Banks) -> Self {
        self.choice = banks;
        self
    }

    /// Its name: `sim:tdx`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its registers.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Size in bytes of a report's user data; 0 if there are no reports.
    #[must_use]
    pub const fn user_data(&self) -> usize {
        self.user_data
    }

    /// The banks that were chosen for it, where there is a choice.
    pub(crate) const fn choice(&self) -> Banks {
        self.choice
    }

    /// Size in bytes of a report.
    #[must_use]
    pub fn report_size(&self) -> usize {
        usize::try_from(report_size(&self.rows, self.user_data)).unwrap_or(usize::MAX)
    }
}

/// Header, user data, then every kept value in the order of registers and banks.
fn report_size(rows: &[Row], user_data: usize) -> u32 {
    let kept = rows.iter().filter(|row| matches!(row.source, Source::Kept | Source::MadeUp));
    let size = kept
        .flat_map(|row| values(&row.register))
        .fold(Platform::REPORT_HEADER.saturating_add(user_data), |sum, (_, size)| {
            sum.saturating_add(size)
        });
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// A register's values: banks and their sizes, or the unhashed value.
pub(crate) fn values(
    register: &Register<'_>,
) -> impl Iterator<Item = (Option<Algorithm>, usize)> + use<> {
    let unhashed = register.size(None).map(|size| (None, size));
    register.banks().iter().map(|bank| (Some(bank), bank.size())).chain(unhashed)
}

fn check(n: usize, row: &Row, user_data: usize) -> Result<(), TableError> {
    let register = &row.register;
    if !is_name(register.name.as_bytes()) {
        return Err(TableError::Name(n));
    }
    let has = |powers| register.powers.contains(powers);
    let user = row.source == Source::UserData;
    let kept = matches!(row.source, Source::Kept | Source::MadeUp);
    let extensible = has(Powers::EXTEND) || has(Powers::DIRECT) || has(Powers::LOCK);
    let live = matches!(row.source, Source::Report | Source::ReportDigest);
    if has(Powers::WRITE) != user
        || (extensible && !(kept && has(Powers::EXTEND) && !register.banks().is_empty()))
        || (live && !has(Powers::LIVE))
    {
        return Err(TableError::Powers(n));
    }
    let fits = match row.source {
        Source::Kept | Source::MadeUp => values(register).next().is_some(),
        Source::UserData => register.size(None) == Some(user_data) && user_data > 0,
        Source::Report => true,
        Source::ReportDigest => !register.banks().is_empty(),
    };
    fits.then_some(()).ok_or(TableError::Value(n))
}

/// The value a made-up register starts with.
pub(crate) fn made_up(platform: &str, name: &str, bank: Option<Algorithm>, out: &mut [u8]) {
    let text = alloc::format!("SIMULATED value of {platform}/{name}");
    let digest: Digest = bank.unwrap_or(Algorithm::Sha512).hash(text.as_bytes());
    for (to, from) in out.iter_mut().zip(digest.as_bytes().iter().cycle()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANKS: Banks = Banks::one(Algorithm::Sha256);

    #[test]
    fn tables_are_checked() {
        let good = Row::kept(Register::runtime("r", BANKS));
        let new = |name, rows: &[Row]| Platform::new(name, rows.to_vec(), 64);
        assert!(new("sim:x", &[good]).is_ok());
        assert_eq!(new("x", &[good]), Err(TableError::Platform));
        assert_eq!(new("sim:", &[good]), Err(TableError::Platform));
        assert_eq!(new("sim:a b", &[good]), Err(TableError::Platform));
        assert_eq!(new("sim:x", &[good, good]), Err(TableError::Name(1)));
        let unhashed = Register::fixed("u", Value::Unhashed(8));
        for (register, source, error) in [
            (Register::fixed("a b", Value::Unhashed(8)), Source::Kept, TableError::Name(0)),
            (unhashed.with(Powers::WRITE), Source::Kept, TableError::Powers(0)),
            (unhashed.with(Powers::EXTEND), Source::Kept, TableError::Powers(0)),
            (unhashed.with(Powers::LOCK), Source::Kept, TableError::Powers(0)),
            (unhashed, Source::Report, TableError::Powers(0)),
            (unhashed, Source::UserData, TableError::Powers(0)),
            (unhashed.with(Powers::WRITE), Source::UserData, TableError::Value(0)),
            (unhashed.with(Powers::LIVE), Source::ReportDigest, TableError::Value(0)),
            (Register::fixed("n", Value::Banks(Banks::NONE)), Source::Kept, TableError::Value(0)),
        ] {
            assert_eq!(new("sim:x", &[Row { register, source }]), Err(error), "{register:?}");
        }
    }

    #[test]
    fn made_up_values_differ_by_register_and_platform() {
        let value = |platform, name| {
            let mut out = [0; 80];
            made_up(platform, name, None, &mut out);
            out
        };
        assert_ne!(value("sim:a", "x"), value("sim:a", "y"));
        assert_ne!(value("sim:a", "x"), value("sim:b", "x"));
        assert_eq!(value("sim:a", "x")[..16], value("sim:a", "x")[64..]);
    }
}
