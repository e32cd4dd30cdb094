// SPDX-License-Identifier: MIT OR Apache-2.0
//! The processor: what its keys derive from, and who it is.

use sha2::{Digest as _, Sha256, Sha512};
use tsm_snp::report::{Generation, Processor, Tcb, TcbVersion};

/// A simulated processor. Two of different names have different keys and ids.
///
/// Its secrets are hashes of its name: **everybody has them.**
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chip {
    secret: [u8; 32],
    generation: Generation,
}

impl Chip {
    /// The processor of this name and generation.
    #[must_use]
    pub fn new(name: &str, generation: Generation) -> Self {
        let secret = Sha256::new_with_prefix("SIMULATED secret of the SNP processor ");
        Self { secret: secret.chain_update(name).finalize().into(), generation }
    }

    pub(super) const fn from_parts(secret: [u8; 32], generation: Generation) -> Self {
        Self { secret, generation }
    }

    pub(super) const fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Its generation.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Family, model and stepping, as reports of such machines have them; for Venice, of which none
    /// was seen, made up.
    #[must_use]
    pub const fn processor(&self) -> Processor {
        let (family, model, stepping) = match self.generation {
            Generation::Milan => (0x19, 0x01, 0x01),
            Generation::Genoa => (0x19, 0x11, 0x01),
            Generation::Turin => (0x1A, 0x02, 0x01),
            _ => (0x1A, 0x50, 0x00),
        };
        Processor { family, model, stepping }
    }

    /// CHIP_ID: 64 bytes that begin with `SIMULATED`, or from Turin on 8 bytes and zeros.
    #[must_use]
    pub fn id(&self) -> [u8; 64] {
        let hash: [u8; 64] = Sha512::new_with_prefix("SIMULATED id of the SNP processor ")
            .chain_update(self.secret)
            .finalize()
            .into();
        let mut id = [0; 64];
        match self.generation.hardware_id_size() {
            64 => {
                id = hash;
                super::bytes::copy(b"SIMULATED", &mut id);
            }
            size => super::bytes::copy(hash.get(..size).unwrap_or_default(), &mut id),
        }
        id
    }

    /// 32 bytes that only this processor has, in theory.
    pub(super) fn derive(&self, purpose: &str) -> [u8; 32] {
        let key = Sha256::new_with_prefix("SIMULATED SNP key for ").chain_update(purpose);
        key.chain_update(self.secret).finalize().into()
    }

    /// A TCB version as this generation writes it.
    #[must_use]
    pub fn tcb_version(&self, tcb: &Tcb) -> TcbVersion {
        let Tcb { boot_loader, tee, snp, microcode, .. } = *tcb;
        TcbVersion(match self.generation {
            Generation::Milan | Generation::Genoa => [boot_loader, tee, 0, 0, 0, 0, snp, microcode],
            _ => [tcb.fmc.unwrap_or(0), boot_loader, tee, snp, 0, 0, 0, microcode],
        })
    }

    /// A TCB as this processor's firmware comes: components that differ, so that none is taken for
    /// another. FMC from Turin on.
    pub(super) const fn first_tcb(&self) -> Tcb {
        match self.generation {
            Generation::Milan | Generation::Genoa => Tcb::new(None, 4, 2, 24, 219),
            _ => Tcb::new(Some(1), 4, 2, 5, 73),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_they_were_written() {
        for generation in [Generation::Milan, Generation::Genoa, Generation::Turin] {
            let chip = Chip::new("one", generation);
            assert_eq!(chip.processor().generation(), Some(generation));
            let tcb = chip.first_tcb();
            assert_eq!(chip.tcb_version(&tcb).of(generation), tcb);
        }
        // The bytes, as facts of the two layouts.
        let milan = Chip::new("one", Generation::Milan);
        assert_eq!(milan.tcb_version(&milan.first_tcb()).0, [4, 2, 0, 0, 0, 0, 24, 219]);
        let turin = Chip::new("one", Generation::Turin);
        assert_eq!(turin.tcb_version(&turin.first_tcb()).0, [1, 4, 2, 5, 0, 0, 0, 73]);
    }

    #[test]
    fn ids() {
        let milan = Chip::new("one", Generation::Milan);
        assert!(milan.id().starts_with(b"SIMULATED"));
        assert_ne!(milan.id(), Chip::new("two", Generation::Milan).id());
        let turin = Chip::new("one", Generation::Turin).id();
        assert!(turin[..8] != [0; 8] && turin[8..] == [0; 56]);
    }
}
