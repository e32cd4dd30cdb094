// SPDX-License-Identifier: MIT OR Apache-2.0
//! The extensions that say whose key it is, below 1.3.6.1.4.1.3704.1.

use alloc::vec::Vec;

use tsm_snp::report::{Generation, SigningKey, Tcb};
use x509_cert::der::Encode;
use x509_cert::der::asn1::{Ia5String, OctetString};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::ext::Extension;

use crate::snp::Chip;
use crate::snp::signing::PROVIDER;
use crate::snp::sure::sure;

const STRUCT_VERSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.1");
const PRODUCT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.2");
const SPL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3");
const HARDWARE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.4");
const PROVIDER_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.5");

/// Those of a key of this chip, or of the provider's, for this TCB.
pub(super) fn endorsement(chip: &Chip, tcb: &Tcb, which: SigningKey) -> Vec<Extension> {
    let generation = chip.generation();
    let (version, is_turin): (u8, bool) = match generation {
        Generation::Milan | Generation::Genoa => (0, false),
        _ => (1, true),
    };
    let product = match (generation, which) {
        // The stepping that AMD's certificates of chips name.
        (Generation::Milan, SigningKey::Vcek) => "Milan-B0",
        _ => generation.name(),
    };
    let mut all = Vec::from([der(STRUCT_VERSION, &version), text(PRODUCT_NAME, product)]);
    let mut spl = |number, value: u8| all.push(der(sure(SPL.push_arc(number)), &value));
    spl(1, tcb.boot_loader);
    spl(2, tcb.tee);
    spl(3, tcb.snp);
    if !is_turin {
        spl(4, 0);
    }
    (5..=7).for_each(|number| spl(number, 0));
    spl(8, tcb.microcode);
    if let Some(fmc) = tcb.fmc.filter(|_| is_turin) {
        spl(9, fmc);
    }
    match which {
        SigningKey::Vlek => {
            all.push(text(PROVIDER_ID, &alloc::format!("CN={PROVIDER}")));
        }
        _ => {
            let id = chip.id();
            let id = id.get(..generation.hardware_id_size()).unwrap_or_default();
            // The id itself, not an OCTET STRING of it.
            all.push(extension(HARDWARE_ID, id));
        }
    }
    all
}

fn text(id: ObjectIdentifier, text: &str) -> Extension {
    der(id, &sure(Ia5String::new(text)))
}

fn der(id: ObjectIdentifier, value: &impl Encode) -> Extension {
    extension(id, &sure(value.to_der()))
}

fn extension(id: ObjectIdentifier, value: &[u8]) -> Extension {
    Extension { extn_id: id, critical: false, extn_value: sure(OctetString::new(value)) }
}
