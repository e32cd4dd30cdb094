// SPDX-License-Identifier: MIT OR Apache-2.0
//! The manifest of a register bank, version 1. Numbers are little-endian.
//!
//! ```text
//! 0x00  16  GUID 15021faa-0c5d-4d08-813d-b11b00bd2470, mixed order
//! 0x10   4  version, 1
//! 0x14   4  bytes of all of it
//! 0x18   1  who keeps the bank: 0 no isolation, 1 more privileged software
//! 0x19   1  0
//! 0x1A   2  number of registers
//! 0x1C   4  0
//! 0x20      registers in the bank's order, each:
//!        1  bytes of the name, 1 to 63
//!           name
//!        1  number of values, at least 1
//!           values in the register's order, each:
//!        2    TPM_ALG_ID
//!        8    how often it was extended
//!             value, of the algorithm's size
//! ```

use tsm_core::{Algorithm, Digest, is_name};

use super::{Isolation, SoftwareBank};
use crate::bytes::{copy, take, take_array};
use crate::error::{Error, ErrorKind};
use crate::guid::Guid;
use crate::report::Report;
use crate::svsm::{self, NONCE_SIZE};

/// A manifest that was checked: there is no other way to write what it says. Not authenticated until
/// [`check_binding`](Self::check_binding), and the report's signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manifest<'m> {
    bytes: &'m [u8],
    isolation: Isolation,
    count: usize,
}

const HEADER: usize = 0x20;

impl<'m> Manifest<'m> {
    /// The service: what a manifest begins with, and what an SVSM lists it under. Read as a TPM's
    /// public area, its first two bytes are no type of key.
    pub const SERVICE: Guid = Guid::new(0x15021faa_0c5d_4d08_813d_b11b00bd2470);
    /// The version.
    pub const VERSION: u32 = 1;
    /// Most registers of a bank.
    pub const MAX_REGISTERS: usize = 32;

    /// Reads a manifest, which must be all of `bytes`.
    ///
    /// # Errors
    ///
    /// With the offset: [`ErrorKind::Truncated`], [`ErrorKind::Signature`], [`ErrorKind::Version`],
    /// [`ErrorKind::Size`] if it is longer or shorter than it says, [`ErrorKind::Reserved`],
    /// [`ErrorKind::Value`] for a keeper that is not known or a register without values,
    /// [`ErrorKind::Count`], [`ErrorKind::Name`], [`ErrorKind::Algorithm`],
    /// [`ErrorKind::NeverExtended`].
    pub fn parse(bytes: &'m [u8]) -> Result<Self, Error> {
        let mut rest = bytes;
        let truncated = Error::at(ErrorKind::Truncated, bytes.len());
        let guid = take_array(&mut rest).ok_or(truncated)?;
        if Guid::from_mixed_bytes(*guid) != Self::SERVICE {
            return Err(Error::at(ErrorKind::Signature, 0));
        }
        let header = take_array::<16>(&mut rest).ok_or(truncated)?;
        let [v0, v1, v2, v3, s0, s1, s2, s3, isolation, r0, c0, c1, r1, r2, r3, r4] = *header;
        let version = u32::from_le_bytes([v0, v1, v2, v3]);
        if version != Self::VERSION {
            return Err(Error::at(ErrorKind::Version(version), 0x10));
        }
        if usize::try_from(u32::from_le_bytes([s0, s1, s2, s3])) != Ok(bytes.len()) {
            return Err(Error::at(ErrorKind::Size, 0x14));
        }
        let isolation = match isolation {
            0 => Isolation::None,
            1 => Isolation::Privileged,
            _ => return Err(Error::at(ErrorKind::Value, 0x18)),
        };
        if [r0, r1, r2, r3, r4] != [0; 5] {
            return Err(Error::at(ErrorKind::Reserved, 0x19));
        }
        let count = usize::from(u16::from_le_bytes([c0, c1]));
        if count > Self::MAX_REGISTERS {
            return Err(Error::at(ErrorKind::Count, 0x1A));
        }
        let manifest = Self { bytes, isolation, count };
        for number in 0..count {
            let at = bytes.len().saturating_sub(rest.len());
            let register = ManifestRegister::parse(&mut rest)
                .map_err(|kind| Error::at(kind, bytes.len().saturating_sub(rest.len())))?;
            if manifest.registers().take(number).any(|other| other.name == register.name) {
                return Err(Error::at(ErrorKind::Name, at));
            }
        }
        if !rest.is_empty() {
            return Err(Error::at(ErrorKind::Size, bytes.len().saturating_sub(rest.len())));
        }
        Ok(manifest)
    }

    /// All bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'m [u8] {
        self.bytes
    }

    /// Who keeps the bank, as the keeper says.
    #[must_use]
    pub const fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The registers in order.
    pub fn registers(&self) -> impl Iterator<Item = ManifestRegister<'m>> + use<'m> {
        let mut rest = self.bytes.get(HEADER..).unwrap_or_default();
        (0..self.count).map_while(move |_| ManifestRegister::parse(&mut rest).ok())
    }

    /// A register's value under an algorithm.
    #[must_use]
    pub fn value(&self, register: &str, bank: Algorithm) -> Option<ManifestValue> {
        let register = self.registers().find(|other| other.name == register)?;
        register.values().find(|value| value.digest.algorithm() == bank)
    }

    /// Checks that a report is of this manifest and this nonce, as [`svsm::check_binding`] does, and
    /// under the conditions that it has.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Vmpl`], [`ErrorKind::Binding`].
    pub fn check_binding(&self, report: &Report, nonce: &[u8; NONCE_SIZE]) -> Result<(), Error> {
        svsm::check_binding(report, nonce, self.bytes)
    }
}

/// A register of a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ManifestRegister<'m> {
    /// Its name.
    pub name: &'m str,
    /// Its values, checked.
    values: &'m [u8],
}

impl<'m> ManifestRegister<'m> {
    /// Takes a register off the front.
    fn parse(rest: &mut &'m [u8]) -> Result<Self, ErrorKind> {
        let [size] = *take_array(rest).ok_or(ErrorKind::Truncated)?;
        let name = take(rest, usize::from(size)).ok_or(ErrorKind::Truncated)?;
        if !is_name(name) {
            return Err(ErrorKind::Name);
        }
        let name = core::str::from_utf8(name).map_err(|_| ErrorKind::Name)?;
        let [count] = *take_array(rest).ok_or(ErrorKind::Truncated)?;
        if count == 0 {
            return Err(ErrorKind::Value);
        }
        let all = *rest;
        // An algorithm at most once, so as many values as there are algorithms.
        let mut seen = [None; Algorithm::MAX];
        for number in 0..usize::from(count) {
            let value = ManifestValue::parse(rest)?;
            let algorithm = Some(value.digest.algorithm());
            if seen.contains(&algorithm) {
                return Err(ErrorKind::Algorithm);
            }
            *seen.get_mut(number).ok_or(ErrorKind::Algorithm)? = algorithm;
            if value.extensions == 0 && !value.digest.is_zeros() {
                return Err(ErrorKind::NeverExtended);
            }
        }
        let size = all.len().saturating_sub(rest.len());
        Ok(Self { name, values: all.get(..size).unwrap_or_default() })
    }

    /// Its values in order.
    pub fn values(&self) -> impl Iterator<Item = ManifestValue> + use<'m> {
        let mut rest = self.values;
        core::iter::from_fn(move || ManifestValue::parse(&mut rest).ok())
    }
}

/// A value of a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ManifestValue {
    /// The value.
    pub digest: Digest,
    /// How often it was extended.
    pub extensions: u64,
}

impl ManifestValue {
    fn parse(rest: &mut &[u8]) -> Result<Self, ErrorKind> {
        let id = take_array(rest).ok_or(ErrorKind::Truncated)?;
        let id = u16::from_le_bytes(*id);
        let algorithm = Algorithm::from_tpm_id(id).ok_or(ErrorKind::Algorithm)?;
        let extensions = take_array(rest).ok_or(ErrorKind::Truncated)?;
        let value = take(rest, algorithm.size()).ok_or(ErrorKind::Truncated)?;
        let digest = Digest::from_bytes(algorithm, value).ok_or(ErrorKind::Truncated)?;
        Ok(Self { digest, extensions: u64::from_le_bytes(*extensions) })
    }
}

impl<const VALUES: usize> SoftwareBank<'_, VALUES> {
    /// Bytes of the bank's manifest, always the same.
    #[must_use]
    pub fn manifest_size(&self) -> usize {
        let registers = self.registers.iter().map(|register| {
            let values = register.banks().iter().map(|bank| bank.size().saturating_add(10));
            let values = values.fold(0, usize::saturating_add);
            values.saturating_add(register.name.len()).saturating_add(2)
        });
        registers.fold(HEADER, usize::saturating_add)
    }

    /// Writes the bank's manifest to the front of `out` and returns it.
    ///
    /// # Errors
    ///
    /// Of kind `WrongSize` if there is no room for [`manifest_size`](Self::manifest_size) bytes.
    pub fn write_manifest<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
        let size = self.manifest_size();
        let too_small = Error::from(tsm_core::ErrorKind::WrongSize);
        let out = out.get_mut(..size).ok_or(too_small)?;
        let mut place = &mut *out;
        let count = u16::try_from(self.registers.len()).unwrap_or(u16::MAX);
        put(&mut place, &Manifest::SERVICE.mixed_bytes());
        put(&mut place, &Manifest::VERSION.to_le_bytes());
        put(&mut place, &u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        put(&mut place, &[u8::from(self.isolation == Isolation::Privileged), 0]);
        put(&mut place, &count.to_le_bytes());
        put(&mut place, &[0; 4]);
        let mut values = self.values.iter();
        for register in self.registers {
            let banks = register.banks().len();
            put(&mut place, &[u8::try_from(register.name.len()).unwrap_or(0)]);
            put(&mut place, register.name.as_bytes());
            put(&mut place, &[u8::try_from(banks).unwrap_or(0)]);
            for held in values.by_ref().take(banks) {
                put(&mut place, &held.digest.algorithm().tpm_id().to_le_bytes());
                put(&mut place, &held.extensions.to_le_bytes());
                put(&mut place, held.digest.as_bytes());
            }
        }
        Ok(out)
    }
}

/// Copies to the front and goes on behind it.
fn put(place: &mut &mut [u8], bytes: &[u8]) {
    if let Some((front, behind)) = core::mem::take(place).split_at_mut_checked(bytes.len()) {
        copy(bytes, front);
        *place = behind;
    }
}
