// SPDX-License-Identifier: MIT OR Apache-2.0
//! Manifests: of a register bank, of an SVSM's services, of its vTPM.

use tsm_snp::svsm::{AttestRequest, EndorsementKey, ServicesManifest};
use tsm_snp::{Isolation, Manifest};

/// Input: what kind (bit 0: put the bank's header in front, with the right length), then a manifest.
/// One that is read is written again from what was read, by other code.
pub fn snp_manifest(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if kind & 1 != 0 && bytes.len() >= 0x20 {
        bytes[..16].copy_from_slice(&Manifest::SERVICE.mixed_bytes());
        bytes[16..20].copy_from_slice(&1_u32.to_le_bytes());
        let size = u32::try_from(bytes.len()).unwrap();
        bytes[20..24].copy_from_slice(&size.to_le_bytes());
        bytes[0x19] = 0;
        bytes[0x1B..0x20].fill(0);
    }
    match Manifest::parse(&bytes) {
        Err(error) => assert!(error.offset().expect("a place") <= bytes.len()),
        Ok(manifest) => {
            assert_eq!(written(&manifest), bytes);
            assert!(ServicesManifest::parse(&bytes).is_err());
            assert!(EndorsementKey::parse(&bytes).is_err());
        }
    }
    if let Ok(services) = ServicesManifest::parse(&bytes) {
        for service in services.services() {
            assert_eq!(services.find(service.guid), Some(service.manifest));
            let at = service.manifest.as_ptr().addr() - bytes.as_ptr().addr();
            assert!(at + service.manifest.len() <= bytes.len());
        }
    }
    if let Ok(key) = EndorsementKey::parse(&bytes) {
        assert_eq!(key.public_area, bytes);
        assert!(matches!(bytes[..2], [0, 1] | [0, 0x23]));
    }
    if let Ok(request) = AttestRequest::parse(&bytes) {
        assert_eq!(&request.as_bytes()[..bytes.len()], bytes);
    }
}

/// The format as the documentation has it.
fn written(manifest: &Manifest<'_>) -> Vec<u8> {
    let mut out = Manifest::SERVICE.mixed_bytes().to_vec();
    out.extend(1_u32.to_le_bytes());
    out.extend([0; 4]);
    out.extend([u8::from(manifest.isolation() == Isolation::Privileged), 0]);
    out.extend(u16::try_from(manifest.registers().count()).unwrap().to_le_bytes());
    out.extend([0; 4]);
    for register in manifest.registers() {
        out.push(u8::try_from(register.name.len()).unwrap());
        out.extend(register.name.as_bytes());
        out.push(u8::try_from(register.values().count()).unwrap());
        for value in register.values() {
            out.extend(value.digest.algorithm().tpm_id().to_le_bytes());
            out.extend(value.extensions.to_le_bytes());
            out.extend(value.digest.as_bytes());
            assert!(value.extensions > 0 || value.digest.is_zeros());
            let found = manifest.value(register.name, value.digest.algorithm());
            assert_eq!(found, Some(value));
        }
    }
    let size = u32::try_from(out.len()).unwrap();
    out[20..24].copy_from_slice(&size.to_le_bytes());
    out
}
