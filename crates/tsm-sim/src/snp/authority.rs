// SPDX-License-Identifier: MIT OR Apache-2.0
//! The simulator's certificate authorities, cut as AMD's: a root (ARK), one authority for keys of
//! chips (ASK) and one for keys of providers (ASVK), and the certificates of VCEK and VLEK.
//!
//! **The authorities' private keys are in the repository, those of chips are hashes of texts.** All
//! certificates say `SIMULATED` in their subject and issuer, as the organisation: the common names are
//! AMD's (`ARK-Milan`, `SEV-Milan`, `SEV-VLEK-Milan`, `SEV-VCEK`, `SEV-VLEK`), since verifiers tell the
//! generation and the kind of key by them. Whoever pins AMD's roots refuses all of it.
//!
//! As AMD's are: RSA-4096, RSASSA-PSS with SHA-384 and a salt of 48 bytes for the authorities, P-384
//! for the keys that sign reports, the numbers of certificates, the extensions below
//! 1.3.6.1.4.1.3704.1. Not as AMD's: one key serves an authority for all generations, everything is
//! valid from 2020 to 2045, and there are no revocation lists.
//!
//! Source: certificates of AMD's key server, as google/go-sev-guest `kds/kds.go` reads them.

mod extensions;

use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::str::FromStr as _;
use core::time::Duration;

use rsa::pkcs8::DecodePrivateKey as _;
use rsa::pss::SigningKey as PssKey;
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::signature::{Keypair as _, RandomizedSigner as _};
use rsa::{PrivateKey, PublicKey};
use sha2::{Digest as _, Sha384};
use tsm_snp::CertificateKind;
use tsm_snp::report::{Generation, SigningKey};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder as _, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::UtcTime;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{
    SignatureBitStringEncoding as _, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef,
};
use x509_cert::time::{Time, Validity};

use super::Firmware;
use super::signing::endorsement_key;
use super::sure::sure;

/// The root (ARK) of a generation, DER. A verifier that takes it for a root takes simulated reports
/// for real ones.
#[must_use]
pub fn root_certificate(generation: Generation) -> Vec<u8> {
    authority_certificate(Authority::Root, generation)
}

/// The authority for keys of chips (ASK) of a generation, DER.
#[must_use]
pub fn chip_authority_certificate(generation: Generation) -> Vec<u8> {
    authority_certificate(Authority::Chips, generation)
}

/// The authority for keys of providers (ASVK) of a generation, DER.
#[must_use]
pub fn provider_authority_certificate(generation: Generation) -> Vec<u8> {
    authority_certificate(Authority::Providers, generation)
}

/// The certificate of the key with which this firmware signs as `which` now, DER: it changes with the
/// reported TCB version. `None` if such a key signs nothing.
#[must_use]
pub fn endorsement_certificate(firmware: &Firmware, which: SigningKey) -> Option<Vec<u8>> {
    let chip = firmware.chip();
    let tcb = &firmware.tcb_versions().reported;
    let key = endorsement_key(chip, which, chip.tcb_version(tcb))?;
    let generation = chip.generation();
    let (subject, issuer) = match which {
        SigningKey::Vlek => ("SEV-VLEK", Authority::Providers),
        _ => ("SEV-VCEK", Authority::Chips),
    };
    let contents = Contents {
        subject: name(subject),
        issuer: issuer.name(generation),
        extensions: extensions::endorsement(chip, tcb, which),
    };
    let key = sure(SubjectPublicKeyInfoOwned::from_key(key.verifying_key()));
    Some(certificate(contents, 0, key, issuer))
}

/// The table of certificates that a host gives with this firmware's reports: of the VLEK if there is
/// one, of the VCEK otherwise, with the authority above it and the root.
#[must_use]
pub fn certificate_table(firmware: &Firmware) -> Vec<u8> {
    let generation = firmware.chip().generation();
    let signer = firmware.chosen_key(0).unwrap_or(SigningKey::None);
    let (kind, authority) = match signer {
        SigningKey::Vlek => (CertificateKind::Vlek, Authority::Providers),
        _ => (CertificateKind::Vcek, Authority::Chips),
    };
    let Some(endorsement) = endorsement_certificate(firmware, signer) else {
        return vec![0; 24];
    };
    let entries = [
        (kind, endorsement),
        (CertificateKind::Ask, authority_certificate(authority, generation)),
        (CertificateKind::Ark, root_certificate(generation)),
    ];
    let mut table = Vec::new();
    // Three entries and the end.
    let mut offset = 4 * 24_usize;
    for (kind, certificate) in &entries {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        table.extend_from_slice(&guid(*kind));
        table.extend_from_slice(&number(offset));
        table.extend_from_slice(&number(certificate.len()));
        offset = offset.saturating_add(certificate.len());
    }
    table.extend_from_slice(&[0; 24]);
    entries.iter().for_each(|(_, certificate)| table.extend_from_slice(certificate));
    table
}

/// GUIDs of entries, in the order of RFC 4122.
fn guid(kind: CertificateKind) -> [u8; 16] {
    let number: u128 = match kind {
        CertificateKind::Vlek => 0xa8074bc2_a25a_483e_aae6_39c045a0b8a1,
        CertificateKind::Ask => 0x4ab7b379_bbac_4fe4_a02f_05aef327c782,
        CertificateKind::Ark => 0xc0b406a4_a803_4952_9743_3fb6014cd0ae,
        _ => 0x63da758d_e664_4564_adc5_f4b93be8accd,
    };
    number.to_be_bytes()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Authority {
    Root,
    Chips,
    Providers,
}

impl Authority {
    fn key(self) -> PssKey<Sha384> {
        let bytes: &[u8] = match self {
            Self::Root => include_bytes!("../../keys/SIMULATED-ark.pk8"),
            Self::Chips => include_bytes!("../../keys/SIMULATED-ask.pk8"),
            Self::Providers => include_bytes!("../../keys/SIMULATED-asvk.pk8"),
        };
        // The salt has the hash's size.
        PssKey::new(sure(PrivateKey::from_pkcs8_der(bytes)))
    }

    fn name(self, generation: Generation) -> Name {
        let prefix = match self {
            Self::Root => "ARK",
            Self::Chips => "SEV",
            Self::Providers => "SEV-VLEK",
        };
        name(&alloc::format!("{prefix}-{generation}"))
    }

    /// As AMD's are numbered; those of Venice, of which none was seen, go on.
    const fn serial(self, generation: Generation) -> u32 {
        let (root, chips) = match generation {
            Generation::Milan => (0x1_0000, 0x1_0001),
            Generation::Genoa => (0x2_0000, 0x2_0002),
            Generation::Turin => (0x3_0000, 0x3_0001),
            _ => (0x4_0000, 0x4_0001),
        };
        match self {
            Self::Root => root,
            Self::Chips => chips,
            Self::Providers => root | 0x101,
        }
    }
}

fn authority_certificate(authority: Authority, generation: Generation) -> Vec<u8> {
    let below = match authority {
        Authority::Root => 1,
        _ => 0,
    };
    let subject = authority.name(generation);
    let constraints = BasicConstraints { ca: true, path_len_constraint: Some(below) };
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    let extensions = vec![
        sure((&constraints).to_extension(&subject, &[])),
        sure((&usage).to_extension(&subject, &[])),
    ];
    let contents = Contents { subject, issuer: Authority::Root.name(generation), extensions };
    let public: PublicKey = authority.key().verifying_key().into();
    let key = sure(SubjectPublicKeyInfoOwned::from_key(&public));
    certificate(contents, authority.serial(generation), key, Authority::Root)
}

fn name(common: &str) -> Name {
    sure(Name::from_str(&alloc::format!("CN={common},O=SIMULATED by tsm-sim,C=ZZ")))
}

/// What a certificate says.
struct Contents {
    subject: Name,
    issuer: Name,
    extensions: Vec<Extension>,
}

impl BuilderProfile for Contents {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}

fn certificate(
    contents: Contents,
    serial: u32,
    subject: SubjectPublicKeyInfoOwned,
    issuer: Authority,
) -> Vec<u8> {
    // From 2020-01-01 to 2045-01-01.
    let validity = Validity::new(time(1_577_836_800), time(2_366_841_600));
    let serial = SerialNumber::from(serial);
    let mut builder = sure(CertificateBuilder::new(contents, serial, validity, subject));
    let key = issuer.key();
    let signed = sure(builder.finalize(&key));
    let mut salt = Salt { hash: Sha384::digest(&signed).into(), next: 0 };
    let signature = sure(key.sign_with_rng(&mut salt, &signed).to_bitstring());
    sure(sure(builder.assemble(signature, &key)).to_der())
}

/// Seconds since 1970 as a time in certificates.
fn time(seconds: u64) -> Time {
    Time::UtcTime(sure(UtcTime::from_unix_duration(Duration::from_secs(seconds))))
}

/// The salt of a signature, and what blinds its computation: bytes of the hash of what is signed, over
/// and over, so that a certificate is the same each time. The keys are public: there is nothing to
/// protect.
struct Salt {
    hash: [u8; 48],
    next: usize,
}

impl TryRng for Salt {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            *byte = self.hash.get(self.next).copied().unwrap_or(0);
            self.next = self.next.wrapping_add(1);
            if self.next >= self.hash.len() {
                self.next = 0;
                // Other bytes in the next round, or whoever draws until a number fits draws for ever.
                self.hash = Sha384::digest(self.hash).into();
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Salt {}
