// SPDX-License-Identifier: MIT OR Apache-2.0
//! The endorsement keys, and signatures of reports.

use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{Signature, SigningKey as EcdsaKey};
use sha2::{Digest as _, Sha384};
use tsm_snp::report::{SigningKey, TcbVersion};

use super::Chip;
use super::bytes::put;

/// The provider that all simulated VLEKs are of.
pub(super) const PROVIDER: &str = "SIMULATED provider";

/// The key that signs reports of this TCB version: the chip's own, or the provider's. `None` for
/// [`SigningKey::None`] and for keys that are not known.
pub(super) fn endorsement_key(
    chip: &Chip,
    which: SigningKey,
    reported: TcbVersion,
) -> Option<EcdsaKey> {
    let hash = Sha384::new_with_prefix("SIMULATED endorsement key of ");
    let hash = match which {
        SigningKey::Vcek => hash.chain_update("the chip ").chain_update(chip.secret()),
        // The same for all chips of a generation.
        SigningKey::Vlek => hash.chain_update(PROVIDER).chain_update(chip.generation().name()),
        _ => return None,
    };
    let hash = hash.chain_update(reported.0);
    // Of 2^190 hashes one is no scalar.
    let candidates = (0..=u8::MAX).map(|n| hash.clone().chain_update([n]).finalize());
    candidates.filter_map(|scalar| EcdsaKey::from_slice(&scalar).ok()).next()
}

/// Signs `bytes` and writes R and S as reports have them: 72 bytes each, least significant first.
pub(super) fn sign(key: &EcdsaKey, bytes: &[u8], out: &mut [u8]) {
    let signature: Signature = key.sign(bytes);
    let (r, s) = signature.split_bytes();
    for (offset, number) in [(0, r), (72, s)] {
        let mut number: [u8; 48] = number.into();
        number.reverse();
        put(out, offset, &number);
    }
}
