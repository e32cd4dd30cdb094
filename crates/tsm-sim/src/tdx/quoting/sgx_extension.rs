// SPDX-License-Identifier: MIT OR Apache-2.0
//! The extension of a platform's certificate that says what the platform is.
//!
//! Source: Intel SGX PCK Certificate and Certificate Revocation List Profile Specification, SGX
//! extensions (OID 1.2.840.113741.1.13.1).

use alloc::vec::Vec;

use x509_cert::der::asn1::{Any, OctetString};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Encode, Tag};
use x509_cert::ext::Extension;

use super::sure;
use crate::tdx::Cpu;

const SGX: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");
const TCB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.2");
const CONFIGURATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.7");

/// FMSPC of every simulated platform: `SIMTDX`.
pub(super) const FMSPC: [u8; 6] = *b"SIMTDX";
/// PCEID.
pub(super) const PCE_ID: [u8; 2] = [0, 0];
/// PCESVN.
pub(super) const PCE_SVN: u16 = 13;

/// What the platform of this processor is: PPID, TCB, PCEID, FMSPC, type, platform instance,
/// configuration. The TCB's components are the bytes of CPUSVN.
pub(super) fn sgx_extension(cpu: &Cpu) -> Extension {
    let tcb = (1..).zip(cpu.svn()).map(|(n, svn)| pair(arc(TCB, n), svn));
    let tcb: Vec<Any> =
        tcb.chain([pair(arc(TCB, 17), &PCE_SVN), bytes(arc(TCB, 18), cpu.svn())]).collect();
    let flag = |n, value: bool| pair(arc(CONFIGURATION, n), &value);
    let [ppid @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = cpu.derive("the PPID");
    let [instance @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        cpu.derive("the instance");
    let contents = sequence(&[
        bytes(arc(SGX, 1), &ppid),
        pair(TCB, &sequence(&tcb)),
        bytes(arc(SGX, 3), &PCE_ID),
        bytes(arc(SGX, 4), &FMSPC),
        // Scalable.
        pair(arc(SGX, 5), &sure(Any::new(Tag::Enumerated, [1]))),
        bytes(arc(SGX, 6), &instance),
        // Dynamic platform, cached keys, simultaneous multithreading.
        pair(CONFIGURATION, &sequence(&[flag(1, true), flag(2, true), flag(3, true)])),
    ]);
    let extn_value = sure(OctetString::new(sure(contents.to_der())));
    Extension { extn_id: SGX, critical: false, extn_value }
}

fn arc(parent: ObjectIdentifier, n: u32) -> ObjectIdentifier {
    sure(parent.push_arc(n))
}

fn bytes(id: ObjectIdentifier, value: &[u8]) -> Any {
    pair(id, &sure(OctetString::new(value)))
}

/// `SEQUENCE { id, value }`.
fn pair(id: ObjectIdentifier, value: &impl Encode) -> Any {
    sure(Any::new(Tag::Sequence, [sure(id.to_der()), sure(value.to_der())].concat()))
}

fn sequence(items: &[Any]) -> Any {
    let items: Vec<_> = items.iter().map(|item| sure(item.to_der())).collect();
    sure(Any::new(Tag::Sequence, items.concat()))
}
