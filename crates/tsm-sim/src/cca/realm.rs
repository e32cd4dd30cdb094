// SPDX-License-Identifier: MIT OR Apache-2.0
//! The realm: its measurements, and what the host chose when it made it.

use sha2::{Digest as _, Sha256, Sha384, Sha512};
use tsm_cca::{HashId, MeasurementIndex, RemRule, SharedBit};
use tsm_core::{Algorithm, Digest};

/// A realm as its monitor knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RealmState {
    hash: Algorithm,
    /// RIM, REM0 to REM3; all of the realm's hash.
    values: [Digest; 5],
    personalization: [u8; 64],
    ipa_width: u8,
}

impl RealmState {
    /// A realm that has just been started: REMs zero, 48 bits of IPA. RIM and RPV are those of the
    /// machine `Simulated::by_name("cca")`. `None` if realms do not have that hash.
    #[must_use]
    pub fn new(hash: Algorithm) -> Option<Self> {
        const RIM: &[u8] = b"SIMULATED value of sim:cca/rim";
        HashId::of(hash)?;
        let zeros = Digest::zeros(hash);
        Some(Self {
            hash,
            values: [hash.hash(RIM), zeros, zeros, zeros, zeros],
            personalization: Sha512::digest("SIMULATED value of sim:cca/rpv").into(),
            ipa_width: 48,
        })
    }

    /// The same with another width of IPAs in bits; `None` unless it is 13 to 64.
    #[must_use]
    pub fn with_ipa_width(mut self, bits: u8) -> Option<Self> {
        SharedBit::of_width(bits.into())?;
        self.ipa_width = bits;
        Some(self)
    }

    /// The same with another RPV.
    #[must_use]
    pub const fn with_personalization(mut self, personalization: [u8; 64]) -> Self {
        self.personalization = personalization;
        self
    }

    /// The hash of all measurements.
    #[must_use]
    pub const fn hash(&self) -> Algorithm {
        self.hash
    }

    /// The realm personalization value.
    #[must_use]
    pub const fn personalization(&self) -> &[u8; 64] {
        &self.personalization
    }

    /// Width of IPAs in bits.
    #[must_use]
    pub const fn ipa_width(&self) -> u8 {
        self.ipa_width
    }

    /// Where protected addresses end.
    #[must_use]
    pub fn shared_bit(&self) -> Option<SharedBit> {
        SharedBit::of_width(self.ipa_width.into())
    }

    /// RIM, then REM0 to REM3.
    #[must_use]
    pub const fn values(&self) -> &[Digest; 5] {
        &self.values
    }

    /// A measurement.
    #[must_use]
    pub fn value(&self, index: MeasurementIndex) -> Digest {
        let place = usize::try_from(index.number()).ok();
        // No index is above 4.
        place.and_then(|place| self.values.get(place)).copied().unwrap_or(Digest::zeros(self.hash))
    }

    /// Puts a value there, as the one who makes the simulation can; `None`, and nothing changes, if
    /// it is of another hash.
    pub fn set_value(&mut self, index: MeasurementIndex, value: Digest) -> Option<()> {
        let place = usize::try_from(index.number()).ok();
        let old = place.and_then(|place| self.values.get_mut(place))?;
        if value.algorithm() != self.hash {
            return None;
        }
        *old = value;
        Some(())
    }

    /// Extends a measurement with at most 64 bytes.
    ///
    /// Hashes by itself, not with the adapter's rule or the core: those are what it tests.
    pub(super) fn extend(&mut self, index: MeasurementIndex, data: &[u8], rule: RemRule) {
        let old = self.value(index);
        let zeros = [0; 64];
        let padding = |bytes: &[u8]| match rule {
            RemRule::Padded => zeros.get(bytes.len()..).unwrap_or_default(),
            _ => &[],
        };
        let old = old.as_bytes();
        let pieces = [old, padding(old), data, padding(data)];
        let mut value = [0; 64];
        match self.hash {
            Algorithm::Sha256 => hash::<Sha256>(&pieces, &mut value),
            Algorithm::Sha384 => hash::<Sha384>(&pieces, &mut value),
            _ => hash::<Sha512>(&pieces, &mut value),
        }
        let value = value.get(..self.hash.size()).unwrap_or_default();
        if let Some(value) = Digest::from_bytes(self.hash, value) {
            self.set_value(index, value);
        }
    }
}

fn hash<D: sha2::Digest>(pieces: &[&[u8]], out: &mut [u8; 64]) {
    let digest = pieces.iter().fold(D::new(), |hash, piece| hash.chain_update(piece)).finalize();
    for (to, from) in out.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
}
