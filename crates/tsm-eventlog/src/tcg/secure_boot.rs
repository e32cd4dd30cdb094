// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state of Secure Boot, from covered events only.

use core::fmt;
use core::iter::FusedIterator;

use super::coverage::{Coverage, Rule};
use super::data::{Guid, Part, RawText, Separator, SignatureLists, Variable};
use super::event_type::EventType;
use super::finished::{Events, Finished};
use super::refusal::{Refusal, RefusalKind};
use super::separators::{KnownDigests, KnownSeparators, SeparatorKind};
use super::trusted::Event;
use crate::error::Position;
use crate::registers::{Platform, RegisterIndex};

/// The state of Secure Boot as firmware measured it: handed out by [`Finished::secure_boot`] only.
///
/// All of it is covered by the register's expected values. That the firmware tells the truth is another
/// question, of the register that measures the firmware.
///
/// # What the register holds
///
/// Firmware extends PCR 7 with the variables `SecureBoot`, `PK`, `KEK`, `db` and `dbx` in this order,
/// with others of that kind and with what vouched for drivers, then with a separator. Behind it come what
/// vouched for boot loaders and what these loaded; from there on others than firmware can extend, too.
/// (TCG PC Client Platform Firmware Profile 1.06, on PCR 7; the order is that of EDK2
/// and of every log seen, which is taken for the rule here.)
///
/// # Why the rules are strict
///
/// Whoever can alter the log can give any event another type. He can also extend a register after
/// firmware did, but cannot take anything away or put it before. So nothing may be skipped for its type:
/// every event must be of a type that belongs here, and covered. Then each event's bytes are known, and
/// the rules see to it that no change of types leads to another answer but a refusal: a separator is
/// known by its digest, an action must be text, a variable must not be, and no name is allowed both as
/// a variable and as something that vouched, but `db`, which must be there once as the variable.
///
/// # Registers that are shared
///
/// In a confidential VM there is no PCR 7. RTMR0 (and REM0) takes the events of PCR 1 too: tables, boot
/// options, settings. Their digests are of things that are not in the log, or of contents that the host
/// or the guest chooses, so an event of PCR 1 may have the digest of anything, and a real event of PCR 7
/// can be shown as one of PCR 1. What can be told all the same (inferred from the order in which EDK2
/// extends, not from a specification): the five variables stand together directly before the register's
/// *first* separator, which is known by its digest, and before which nobody but firmware extends. So the
/// state and the five variables are known; what vouched for boot loaders is not, since an event of that
/// kind can be hidden among the others: [`authorities`](Self::authorities) is `None`.
#[derive(Clone)]
pub struct SecureBoot<'a, const REGISTERS: usize> {
    register: RegisterIndex,
    is_shared: bool,
    is_enabled: bool,
    separator: Position,
    /// `PK`, `KEK`, `db`, `dbx`.
    lists: [&'a [u8]; 4],
    events: Events<'a, REGISTERS>,
}

impl<'a, const REGISTERS: usize> SecureBoot<'a, REGISTERS> {
    /// Whether firmware checks what it loads.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// The register that says so.
    #[must_use]
    pub const fn register(&self) -> RegisterIndex {
        self.register
    }

    /// Whether the register takes other events too, so that less is known.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Where the separator behind the variables stands.
    #[must_use]
    pub const fn separator(&self) -> Position {
        self.separator
    }

    /// The platform key.
    #[must_use]
    pub const fn pk(&self) -> SignatureLists<'a> {
        let [list, ..] = self.lists;
        SignatureLists::new(list)
    }

    /// The keys that may change `db` and `dbx`.
    #[must_use]
    pub const fn kek(&self) -> SignatureLists<'a> {
        let [_, list, ..] = self.lists;
        SignatureLists::new(list)
    }

    /// What may be loaded.
    #[must_use]
    pub const fn db(&self) -> SignatureLists<'a> {
        let [.., list, _] = self.lists;
        SignatureLists::new(list)
    }

    /// What may not be loaded.
    #[must_use]
    pub const fn dbx(&self) -> SignatureLists<'a> {
        let [.., list] = self.lists;
        SignatureLists::new(list)
    }

    /// What vouched for something that was loaded, in order. `None` if the register
    /// [`is_shared`](Self::is_shared).
    ///
    /// None of firmware's is missing. Behind the separator others can have added some.
    #[must_use]
    pub fn authorities(&self) -> Option<Authorities<'a, REGISTERS>> {
        let (register, separator) = (self.register, self.separator);
        (!self.is_shared).then(|| Authorities { register, separator, events: self.events.clone() })
    }
}

impl<const REGISTERS: usize> fmt::Debug for SecureBoot<'_, REGISTERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureBoot")
            .field("register", &format_args!("{}", self.register))
            .field("is_shared", &self.is_shared)
            .field("is_enabled", &self.is_enabled)
            .field("separator", &self.separator)
            .field("lists", &self.lists)
            .field("authorities", &self.authorities())
            .finish()
    }
}

/// What vouched for something that was loaded. All of it is covered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Authority<'a> {
    /// Where the record begins.
    pub position: Position,
    /// Whether it is before the separator: for a driver that firmware loaded, not for a boot loader.
    pub is_before_separator: bool,
    /// The list that it stands in, and what stands there.
    pub variable: Variable<'a>,
}

/// The iterator of [`SecureBoot::authorities`].
#[derive(Clone)]
pub struct Authorities<'a, const REGISTERS: usize> {
    register: RegisterIndex,
    separator: Position,
    events: Events<'a, REGISTERS>,
}

impl<'a, const REGISTERS: usize> Iterator for Authorities<'a, REGISTERS> {
    type Item = Authority<'a>;

    fn next(&mut self) -> Option<Authority<'a>> {
        loop {
            let event = self.events.next()?;
            if event.register() != self.register
                || event.untrusted().event_type() != EventType::EFI_VARIABLE_AUTHORITY
            {
                continue;
            }
            let position = event.position();
            let is_before_separator = position.record < self.separator.record;
            // All have been read before.
            if let Ok(variable) = authority(&event, !is_before_separator) {
                return Some(Authority { position, is_before_separator, variable });
            }
        }
    }
}

impl<const REGISTERS: usize> FusedIterator for Authorities<'_, REGISTERS> {}

impl<const REGISTERS: usize> fmt::Debug for Authorities<'_, REGISTERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a, const REGISTERS: usize> Finished<'_, 'a, REGISTERS> {
    /// The state of Secure Boot, from PCR 7, or from what a confidential VM has for it.
    ///
    /// Only trusted events count, and of them only what their digests cover. Changing types in the log
    /// leads to the same answer or to a refusal.
    ///
    /// Walks the log again, and hashes each event of the register at most twice for each bank.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], at the first event that shows it.
    pub fn secure_boot(&self) -> Result<SecureBoot<'a, REGISTERS>, Refusal> {
        let refusal = |kind| Refusal { kind, position: None };
        let platform = self.replay().platform();
        let number = if has_pcr_numbers(platform) { 7 } else { 1 };
        let register = platform.register(number).ok_or(refusal(RefusalKind::NotTrusted))?;
        if !self.is_from_start(register) {
            return Err(refusal(RefusalKind::NotFromStart));
        }
        let is_shared = platform != Platform::Tpm;
        let mut reading = Reading::new(&self.banks(), is_shared);
        for event in self.events().filter(|event| event.register() == register) {
            let at = |kind| Refusal { kind, position: Some(event.position()) };
            reading.is_empty = false;
            reading.take(&event).map_err(at)?;
            if is_shared && reading.separator.is_some() {
                break;
            }
        }
        let (is_enabled, separator) = reading.end().map_err(refusal)?;
        let lists = reading.lists;
        let events = self.events();
        Ok(SecureBoot { register, is_shared, is_enabled, separator, lists, events })
    }
}

/// Whether the numbers in the platform's log are those of PCRs.
const fn has_pcr_numbers(platform: Platform) -> bool {
    matches!(platform, Platform::Tpm | Platform::CcaMonitor)
}

/// The variables that every log has, in their order.
const ORDER: [(Guid, &str); 5] = [
    (Guid::GLOBAL_VARIABLE, "SecureBoot"),
    (Guid::GLOBAL_VARIABLE, "PK"),
    (Guid::GLOBAL_VARIABLE, "KEK"),
    (Guid::IMAGE_SECURITY_DATABASE, "db"),
    (Guid::IMAGE_SECURITY_DATABASE, "dbx"),
];

/// Those that some logs have behind them.
const OPTIONAL: [(Guid, &str); 5] = [
    (Guid::IMAGE_SECURITY_DATABASE, "dbt"),
    (Guid::IMAGE_SECURITY_DATABASE, "dbr"),
    (Guid::GLOBAL_VARIABLE, "SetupMode"),
    (Guid::GLOBAL_VARIABLE, "AuditMode"),
    (Guid::GLOBAL_VARIABLE, "DeployedMode"),
];

/// The text by which firmware says that it can be debugged (TCG PC Client Platform Firmware Profile
/// 1.06, on PCR 7).
const DEBUG_MODE: &[u8] = b"UEFI Debug Mode";

/// The variable `SecureBoot` with the value 1, as it is measured. The last byte is the value; without
/// it the variable is absent, and the length before the name 0.
const SECURE_BOOT: [u8; 53] =
    *b"\x61\xDF\xE4\x8B\xCA\x93\xD2\x11\xAA\x0D\0\xE0\x98\x03\x2B\x8C\x0A\0\0\0\0\0\0\0\
\x01\0\0\0\0\0\0\0S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0\x01";

/// What has been read of the register.
struct Reading<'a> {
    separators: KnownSeparators,
    debug_mode: KnownDigests<1>,
    secure_boot: KnownDigests<3>,
    is_shared: bool,
    is_empty: bool,
    /// How many of [`ORDER`] have been read.
    read: usize,
    /// Which of [`OPTIONAL`] have been read.
    optional: [bool; OPTIONAL.len()],
    is_enabled: bool,
    lists: [&'a [u8]; 4],
    separator: Option<Position>,
    has_authority: bool,
}

impl<'a> Reading<'a> {
    fn new(banks: &super::rules::Banks, is_shared: bool) -> Self {
        let (mut off, mut absent) = (SECURE_BOOT, SECURE_BOOT);
        if let Some(value) = off.last_mut() {
            *value = 0;
        }
        if let Some(length) = absent.get_mut(24) {
            *length = 0;
        }
        let absent = absent.split_last().map_or(&[][..], |(_, absent)| absent);
        Self {
            separators: KnownSeparators::new(banks),
            debug_mode: KnownDigests::new(banks, [DEBUG_MODE]),
            secure_boot: KnownDigests::new(banks, [&SECURE_BOOT, &off, absent]),
            is_shared,
            is_empty: true,
            read: 0,
            optional: [false; OPTIONAL.len()],
            is_enabled: false,
            lists: [&[]; 4],
            separator: None,
            has_authority: false,
        }
    }

    fn take(&mut self, event: &Event<'a>) -> Result<(), RefusalKind> {
        if let Some(kind) = self.separators.kind(event) {
            return self.separator(kind, event.position());
        }
        if !matches!(self.debug_mode.find(event), Ok(None)) {
            return Err(RefusalKind::DebugMode);
        }
        // In a shared register other events may come first. The variable is known by its digest, so
        // it cannot hide among them.
        if self.is_shared && self.read == 0 && matches!(self.secure_boot.find(event), Ok(None)) {
            return Ok(());
        }
        match event.untrusted().event_type() {
            EventType::EFI_VARIABLE_DRIVER_CONFIG => self.variable(event),
            EventType::EFI_VARIABLE_AUTHORITY => self.authority(event),
            EventType::EFI_ACTION => action(event),
            _ => Err(RefusalKind::EventType),
        }
    }

    fn separator(&mut self, kind: SeparatorKind, position: Position) -> Result<(), RefusalKind> {
        match kind {
            SeparatorKind::Separator(_) if self.separator.is_some() => {
                Err(RefusalKind::SecondSeparator)
            }
            SeparatorKind::Separator(Separator::Zeros) if self.read == ORDER.len() => {
                self.separator = Some(position);
                Ok(())
            }
            SeparatorKind::Separator(Separator::Zeros) => Err(RefusalKind::Variables),
            SeparatorKind::Separator(_) => Err(RefusalKind::SeparatorValue),
            SeparatorKind::BanksDiffer => Err(RefusalKind::NotCovered),
            SeparatorKind::Disguised(_) | SeparatorKind::OtherDigest => {
                Err(RefusalKind::SeparatorType)
            }
        }
    }

    fn variable(&mut self, event: &Event<'a>) -> Result<(), RefusalKind> {
        if self.separator.is_some() {
            return Err(RefusalKind::VariableLate);
        }
        let data = event.covered_data().ok_or(RefusalKind::NotCovered)?;
        let variable = read(Part::whole(data), false)?;
        let Some((vendor, name)) = ORDER.get(self.read) else { return self.optional(&variable) };
        if !variable.is(*vendor, name) {
            return Err(RefusalKind::Variables);
        }
        match self.read.checked_sub(1) {
            None => {
                self.is_enabled = match variable.data {
                    [] | [0] => false,
                    [1] => true,
                    _ => return Err(RefusalKind::Value),
                }
            }
            Some(place) => {
                if let Some(list) = self.lists.get_mut(place) {
                    *list = variable.data;
                }
            }
        }
        self.read = self.read.saturating_add(1);
        Ok(())
    }

    fn optional(&mut self, variable: &Variable<'_>) -> Result<(), RefusalKind> {
        let place = OPTIONAL.iter().position(|(vendor, name)| variable.is(*vendor, name));
        let seen = place.and_then(|place| self.optional.get_mut(place));
        match seen {
            Some(seen) if !*seen => {
                *seen = true;
                Ok(())
            }
            _ => Err(RefusalKind::OtherVariable),
        }
    }

    fn authority(&mut self, event: &Event<'a>) -> Result<(), RefusalKind> {
        if self.read < ORDER.len() {
            return Err(RefusalKind::Variables);
        }
        let variable = authority(event, self.separator.is_some())?;
        // Of the five only `db` vouches, and of it the variable was there already.
        let is_variable =
            |&(vendor, name): &(Guid, &str)| variable.is(vendor, name) && name != "db";
        if ORDER.iter().chain(&OPTIONAL).any(is_variable) {
            return Err(RefusalKind::AuthorityName);
        }
        self.has_authority = true;
        Ok(())
    }

    fn end(&self) -> Result<(bool, Position), RefusalKind> {
        if self.is_empty {
            return Err(RefusalKind::NotTrusted);
        }
        let separator = self.separator.ok_or(RefusalKind::NoSeparator)?;
        let [pk, kek, db, _] = self.lists;
        let has_keys = !pk.is_empty() && !kek.is_empty() && !db.is_empty();
        if self.is_enabled && !(has_keys && (self.is_shared || self.has_authority)) {
            return Err(RefusalKind::NoAuthority);
        }
        Ok((self.is_enabled, separator))
    }
}

/// What vouched, from all of the event's data; behind the separator also without the byte that old
/// versions of shim added.
fn authority<'a>(event: &Event<'a>, is_behind: bool) -> Result<Variable<'a>, RefusalKind> {
    let data = Part::whole(event.untrusted().data());
    match event.coverage() {
        Coverage::Covered(covered) if covered.rule() == Rule::Verbatim => read(data, true),
        // What is trailing then was covered but for the byte, and has no meaning.
        Coverage::Covered(covered) if covered.rule() == Rule::WithoutLastByte && is_behind => {
            let bytes = data.bytes.get(covered.range()).ok_or(RefusalKind::NotCovered)?;
            Variable::read(Part::whole(bytes), true).map_err(|_| RefusalKind::Malformed)
        }
        _ => Err(RefusalKind::NotCovered),
    }
}

/// A variable with nothing behind it.
fn read(data: Part<'_>, is_authority: bool) -> Result<Variable<'_>, RefusalKind> {
    let variable = Variable::read(data, is_authority).map_err(|_| RefusalKind::Malformed)?;
    if variable.trailing.is_empty() { Ok(variable) } else { Err(RefusalKind::Malformed) }
}

/// What was done, in words. Nothing in binary can pass for it.
fn action(event: &Event<'_>) -> Result<(), RefusalKind> {
    let text = RawText(event.covered_data().ok_or(RefusalKind::NotCovered)?);
    if text.is_printable() { Ok(()) } else { Err(RefusalKind::Malformed) }
}
