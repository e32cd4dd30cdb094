// SPDX-License-Identifier: MIT OR Apache-2.0
//! The simulator's certificate authority, cut as Intel's: a root, a CA for platforms, one
//! certificate for each platform, one for who signs collateral.
//!
//! Source of names, extensions and key usage: Intel SGX PCK Certificate and Certificate Revocation
//! List Profile Specification; dates are the simulator's.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::str::FromStr as _;
use core::time::Duration;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder as _, CertificateBuilder};
use x509_cert::certificate::{Rfc5280, TbsCertificate, Version};
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::der::asn1::{Ia5String, Uint, UtcTime};
use x509_cert::der::pem::LineEnding;
use x509_cert::der::referenced::OwnedToRef as _;
use x509_cert::der::{self, Encode as _, EncodePem as _};
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, CrlNumber, KeyUsage,
    KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{
    DynSignatureAlgorithmIdentifier as _, SignatureBitStringEncoding as _,
    SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef,
};
use x509_cert::time::{Time, Validity};

use super::sgx_extension::sgx_extension;
use super::{Window, sure};
use crate::tdx::Cpu;

/// The root, DER. A verifier that takes it for a root takes simulated quotes for real ones.
#[must_use]
pub fn root_certificate() -> Vec<u8> {
    sure(Root.certificate().to_der())
}

/// Certificates of a platform's key, PEM: that of the key, of the CA for platforms, of the root.
#[must_use]
pub fn pck_chain(cpu: &Cpu) -> String {
    pem(&[pck_certificate(cpu), PlatformCa.certificate(), Root.certificate()])
}

/// Certificates of the CA for platforms, PEM: its own and the root.
#[must_use]
pub fn platform_ca_chain() -> String {
    pem(&[PlatformCa.certificate(), Root.certificate()])
}

/// Certificates of who signs collateral, PEM: its own and the root.
#[must_use]
pub fn tcb_signing_chain() -> String {
    pem(&[TcbSigning.certificate(), Root.certificate()])
}

/// The root's revocation list, DER; with the CA for platforms in it if `revoked`.
pub(super) fn root_crl(window: Window, revoked: bool) -> Vec<u8> {
    let ca = PlatformCa.certificate();
    crl(&Root, window, revoked.then_some(ca))
}

/// The CA for platforms' revocation list, DER; with this processor's key in it if there is one.
pub(super) fn pck_crl(window: Window, revoked: Option<&Cpu>) -> Vec<u8> {
    crl(&PlatformCa, window, revoked.map(pck_certificate))
}

/// The key of a platform, which signs the quoting enclave's report.
pub(super) fn pck_key(cpu: &Cpu) -> SigningKey {
    key(&cpu.derive("the PCK"))
}

/// The key that signs collateral.
pub(super) fn tcb_signing_key() -> SigningKey {
    TcbSigning.key()
}

/// The key that a secret gives: the first of its hashes that is one.
pub(super) fn key(secret: &[u8; 32]) -> SigningKey {
    let candidates = (0..=u8::MAX).map(|n| {
        let digest: [u8; 32] = Sha256::new_with_prefix(secret).chain_update([n]).finalize().into();
        digest
    });
    // Of 2^32 hashes one is no scalar.
    sure(candidates.filter_map(|hash| SigningKey::from_slice(&hash).ok()).next().ok_or("no key"))
}

fn pem(chain: &[Certificate]) -> String {
    chain.iter().map(|certificate| sure(certificate.to_pem(LineEnding::LF))).collect()
}

/// Somebody with a fixed key and a certificate by the root.
trait Authority {
    const NAME: &'static str;
    const SERIAL: u8;
    const KIND: Kind;

    fn key(&self) -> SigningKey {
        key(&Sha256::new_with_prefix("SIMULATED key of ")
            .chain_update(Self::NAME)
            .finalize()
            .into())
    }

    fn certificate(&self) -> Certificate {
        let contents = Contents {
            subject: name(Self::NAME),
            issuer: name(Root::NAME),
            kind: Self::KIND,
            sgx: None,
        };
        certificate(contents, &[Self::SERIAL], self.key().verifying_key(), &Root.key())
    }
}

struct Root;
struct PlatformCa;
struct TcbSigning;

impl Authority for Root {
    const NAME: &'static str = "SIMULATED SGX Root CA";
    const SERIAL: u8 = 1;
    const KIND: Kind = Kind::Ca { below: 1 };
}

impl Authority for PlatformCa {
    const NAME: &'static str = "SIMULATED SGX PCK Platform CA";
    const SERIAL: u8 = 2;
    const KIND: Kind = Kind::Ca { below: 0 };
}

impl Authority for TcbSigning {
    const NAME: &'static str = "SIMULATED SGX TCB Signing";
    const SERIAL: u8 = 3;
    const KIND: Kind = Kind::Leaf;
}

/// The certificate of a platform's key.
fn pck_certificate(cpu: &Cpu) -> Certificate {
    let contents = Contents {
        subject: name("SIMULATED SGX PCK Certificate"),
        issuer: name(PlatformCa::NAME),
        kind: Kind::Leaf,
        sgx: Some(sgx_extension(cpu)),
    };
    let [serial @ .., _, _, _, _, _, _, _, _, _, _, _, _] = cpu.derive("the PCK's serial number");
    // Positive and of a fixed length.
    let serial = serial.map(|byte| byte & 0x3F | 0x40);
    certificate(contents, &serial, pck_key(cpu).verifying_key(), &PlatformCa.key())
}

fn name(common: &str) -> Name {
    sure(Name::from_str(&alloc::format!("CN={common},O=SIMULATED by tsm-sim,C=ZZ")))
}

#[derive(Clone, Copy)]
enum Kind {
    /// With so many CAs below it.
    Ca {
        below: u8,
    },
    Leaf,
}

/// What a certificate says.
struct Contents {
    subject: Name,
    issuer: Name,
    kind: Kind,
    sgx: Option<Extension>,
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
        subject: SubjectPublicKeyInfoRef<'_>,
        issuer: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let issuer = key_identifier(issuer)?;
        let lists = GeneralName::UniformResourceIdentifier(Ia5String::new(LISTS)?);
        let lists = DistributionPoint {
            distribution_point: Some(DistributionPointName::FullName(vec![lists])),
            reasons: None,
            crl_issuer: None,
        };
        let (usage, ca, below) = match self.kind {
            Kind::Ca { below } => (KeyUsages::KeyCertSign | KeyUsages::CRLSign, true, Some(below)),
            Kind::Leaf => (KeyUsages::DigitalSignature | KeyUsages::NonRepudiation, false, None),
        };
        let constraints = BasicConstraints { ca, path_len_constraint: below };
        let name = &self.subject;
        let mut extensions = vec![
            (&issuer).to_extension(name, &[])?,
            (&CrlDistributionPoints(vec![lists])).to_extension(name, &[])?,
            (&SubjectKeyIdentifier::try_from(subject)?).to_extension(name, &[])?,
            (&KeyUsage(usage)).to_extension(name, &[])?,
            (&constraints).to_extension(name, &[])?,
        ];
        extensions.extend(self.sgx.clone());
        Ok(extensions)
    }
}

/// Where the revocation lists are said to be: nowhere (RFC 6761, section 6.4).
const LISTS: &str = "https://simulated.invalid/revoked.crl";

fn certificate(
    contents: Contents,
    serial: &[u8],
    subject: &VerifyingKey,
    issuer: &SigningKey,
) -> Certificate {
    let serial = sure(SerialNumber::new(serial));
    let Window { from, until } = Window::LONG;
    let validity = Validity::new(time(from), time(until));
    let subject = sure(SubjectPublicKeyInfoOwned::from_key(subject));
    let builder = sure(CertificateBuilder::new(contents, serial, validity, subject));
    sure(builder.build::<_, DerSignature>(issuer))
}

/// Not by the crate's builder: that one names the issuer's issuer as the key's owner.
fn crl<A: Authority>(issuer: &A, window: Window, revoked: Option<Certificate>) -> Vec<u8> {
    let (key, certificate) = (issuer.key(), issuer.certificate());
    let tbs = certificate.tbs_certificate();
    let signature = sure(key.signature_algorithm_identifier());
    let number = CrlNumber(sure(Uint::new(&[1])));
    let owner = key_identifier(tbs.subject_public_key_info().owned_to_ref());
    let revoked = revoked.map(|certificate| RevokedCert {
        serial_number: certificate.tbs_certificate().serial_number().clone(),
        revocation_date: time(window.from),
        crl_entry_extensions: None,
    });
    let list = TbsCertList::<Rfc5280> {
        version: Version::V2,
        signature: signature.clone(),
        issuer: tbs.subject().clone(),
        this_update: time(window.from),
        next_update: Some(time(window.until)),
        revoked_certificates: revoked.map(|revoked| vec![revoked]),
        crl_extensions: Some(vec![
            sure((&number).to_extension(tbs.subject(), &[])),
            sure((&sure(owner)).to_extension(tbs.subject(), &[])),
        ]),
    };
    let signed: DerSignature = key.sign(&sure(list.to_der()));
    let list = CertificateList {
        tbs_cert_list: list,
        signature_algorithm: signature,
        signature: sure(signed.to_bitstring()),
    };
    sure(list.to_der())
}

/// Says whose key has signed: the hash of this one.
fn key_identifier(key: SubjectPublicKeyInfoRef<'_>) -> der::Result<AuthorityKeyIdentifier> {
    let SubjectKeyIdentifier(hash) = SubjectKeyIdentifier::try_from(key)?;
    Ok(AuthorityKeyIdentifier { key_identifier: Some(hash), ..Default::default() })
}

/// Seconds since 1970 as a time in certificates.
fn time(seconds: u64) -> Time {
    Time::UtcTime(sure(UtcTime::from_unix_duration(Duration::from_secs(seconds))))
}
