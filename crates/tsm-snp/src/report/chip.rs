// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which chip: CHIP_ID of a report, and hwID of an endorsement certificate.

use core::fmt;

use tsm_core::hex::Hex;

use super::generation::Generation;
use crate::bytes::is_zero;
use crate::error::{Error, ErrorKind};

/// CHIP_ID of a report.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChipId(pub [u8; 64]);

impl ChipId {
    /// Whether the platform hides it.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        is_zero(&self.0)
    }
}

impl fmt::Display for ChipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Hex(&self.0))
    }
}

impl fmt::Debug for ChipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// hwID of a VCEK's certificate (extension 1.3.6.1.4.1.3704.1.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HardwareId<'c> {
    bytes: &'c [u8],
}

impl<'c> HardwareId<'c> {
    /// From the extension's value: the id itself, as AMD's key server writes it, or an OCTET STRING
    /// of it, as older certificates had it.
    ///
    /// The length tells, never the first byte, which in a raw id may be anything.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Size`], [`ErrorKind::Value`] if it is of the size of an OCTET STRING and is none.
    pub fn of_extension(value: &'c [u8], generation: Generation) -> Result<Self, Error> {
        let size = generation.hardware_id_size();
        if value.len() == size {
            return Ok(Self { bytes: value });
        }
        let Some(([tag, length], bytes)) = value.split_first_chunk::<2>() else {
            return Err(Error::new(ErrorKind::Size));
        };
        if bytes.len() != size {
            return Err(Error::new(ErrorKind::Size));
        }
        if *tag != 4 || usize::from(*length) != size {
            return Err(Error::at(ErrorKind::Value, 0));
        }
        Ok(Self { bytes })
    }

    /// The id.
    #[must_use]
    pub const fn as_bytes(&self) -> &'c [u8] {
        self.bytes
    }

    /// Whether it is that of `chip`: the same bytes, and zeros behind them. A masked chip is no
    /// chip's.
    #[must_use]
    pub fn is(&self, chip: &ChipId) -> bool {
        chip.0.split_at_checked(self.bytes.len()).is_some_and(|(front, behind)| {
            !chip.is_masked() && front == self.bytes && is_zero(behind)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_or_octet_string() {
        // A raw id that begins like an OCTET STRING.
        let mut raw = [7; 64];
        raw[..2].copy_from_slice(&[4, 62]);
        let id = HardwareId::of_extension(&raw, Generation::Milan).unwrap();
        assert!(id.is(&ChipId(raw)) && !id.is(&ChipId([7; 64])));
        let mut wrapped = vec![4, 64];
        wrapped.extend(raw);
        assert_eq!(HardwareId::of_extension(&wrapped, Generation::Genoa), Ok(id));
        wrapped[0] = 3;
        let kind = HardwareId::of_extension(&wrapped, Generation::Genoa).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::Value);
        for size in [0, 1, 8, 63, 65, 67, 200] {
            let kind = HardwareId::of_extension(&vec![4; size], Generation::Milan).unwrap_err();
            assert_eq!(kind.kind(), ErrorKind::Size, "{size}");
        }
    }

    #[test]
    fn eight_bytes_on_turin() {
        let mut chip = [0; 64];
        chip[..8].copy_from_slice(&[9; 8]);
        let id = HardwareId::of_extension(&[9; 8], Generation::Turin).unwrap();
        assert!(id.is(&ChipId(chip)));
        chip[63] = 1;
        assert!(!id.is(&ChipId(chip)));
        let zero = HardwareId::of_extension(&[0; 8], Generation::Turin).unwrap();
        assert!(!zero.is(&ChipId([0; 64])) && ChipId([0; 64]).is_masked());
    }
}
