// SPDX-License-Identifier: MIT OR Apache-2.0
//! The software bank from extension to verification, on the firmware in software.

mod common;

use common::firmware::Firmware;
use common::host::{Act, Host};
use tsm_core::{Algorithm, Banks, Digest, Provider, Register, RegisterId};
use tsm_snp::bank::RTMRS;
use tsm_snp::report::Versions;
use tsm_snp::svsm::{self, EndorsementKey, ServicesManifest};
use tsm_snp::{
    Error, ErrorKind, GuestMessages, Guid, Isolation, Manifest, REPORT_SIZE, Report, ReportRequest,
    ReportSource, SnpProvider, SoftwareBank, Vmpck, VmpckIndex, Vmpl,
};

type Guest = GuestMessages<Host>;

fn guest(schedule: impl IntoIterator<Item = Act>) -> Guest {
    let host = Host::new(schedule);
    let mut key = host.firmware.keys[0];
    GuestMessages::new(Vmpck::unused(VmpckIndex::ALL[0], &mut key), host)
}

fn bank() -> SoftwareBank<'static, 4> {
    SoftwareBank::new(RTMRS, Isolation::Privileged).unwrap()
}

fn digest(text: &str) -> Digest {
    Algorithm::Sha384.hash(text.as_bytes())
}

/// Extend, report, bind; the values are those of a fold by hand.
#[test]
fn from_extension_to_verification() {
    let mut provider = SnpProvider::with_bank(guest([]), bank(), [0; REPORT_SIZE]).unwrap();
    let rtmr2 = provider.find("rtmr2").unwrap();
    let mut expected = [0; 48];
    for text in ["kernel", "initrd", "command line"] {
        provider.extend(rtmr2, &[digest(text)]).unwrap();
        let both = [&expected[..], digest(text).as_bytes()].concat();
        expected.copy_from_slice(Algorithm::Sha384.hash(&both).as_bytes());
    }
    let nonce = core::array::from_fn(|i| i as u8);
    let mut evidence = vec![0; provider.as_reporter().unwrap().report_size()];
    let size = provider.as_reporter().unwrap().report(&nonce, &mut evidence).unwrap();
    assert_eq!(size, evidence.len());

    // The verifier.
    let (report, manifest) = evidence.split_at(REPORT_SIZE);
    let report = Report::parse(report, Versions::KNOWN).unwrap();
    let manifest = Manifest::parse(manifest).unwrap();
    manifest.check_binding(report, &nonce).unwrap();
    assert_eq!((report.measurement(), manifest.isolation()), (&[0xA5; 48], Isolation::Privileged));
    let value = manifest.value("rtmr2", Algorithm::Sha384).unwrap();
    assert_eq!((value.digest.as_bytes(), value.extensions), (&expected[..], 3));
    let others: Vec<_> = manifest.registers().map(|register| register.name).collect();
    assert_eq!(others, ["rtmr0", "rtmr1", "rtmr2", "rtmr3"]);
    assert!(manifest.value("rtmr0", Algorithm::Sha384).unwrap().digest.is_zeros());
    assert_eq!(manifest.value("rtmr0", Algorithm::Sha256), None);
    assert_eq!(manifest.value("rtmr4", Algorithm::Sha384), None);

    // The same report with another nonce, of another level, or of the next state.
    let kind = |result: Result<(), Error>| result.unwrap_err().kind();
    assert_eq!(kind(manifest.check_binding(report, &[0; 64])), ErrorKind::Binding);
    let mut lower = report.as_bytes().to_vec();
    lower[0x30] = 1;
    let lower = Report::parse(&lower, Versions::KNOWN).unwrap();
    assert_eq!(kind(manifest.check_binding(lower, &nonce)), ErrorKind::Vmpl(1));
    provider.extend(rtmr2, &[digest("more")]).unwrap();
    let mut next = [0; 1000];
    let size = provider.attest(&nonce, &mut [0; REPORT_SIZE], &mut next).unwrap();
    let next = Manifest::parse(&next[..size]).unwrap();
    assert_eq!(kind(next.check_binding(report, &nonce)), ErrorKind::Binding);
}

/// Bit by bit: a changed manifest does not parse, or is not bound.
#[test]
fn a_manifest_altered_in_any_byte_is_refused() {
    let two = Banks::new(&[Algorithm::Sha256, Algorithm::Sha512]).unwrap();
    let table = [RTMRS[0], Register::runtime("application:data", two)];
    let bank = SoftwareBank::<3>::new(&table, Isolation::None).unwrap();
    let mut provider = SnpProvider::with_bank(guest([]), bank, [0; REPORT_SIZE]).unwrap();
    let id = provider.find("application:data").unwrap();
    provider.extend(id, &[Algorithm::Sha512.hash(b"x")]).unwrap();
    let mut report = [0; REPORT_SIZE];
    let mut manifest = vec![0; provider.manifest_size()];
    let nonce = [9; 64];
    assert_eq!(provider.attest(&nonce, &mut report, &mut manifest), Ok(manifest.len()));
    let report = Report::parse(&report, Versions::KNOWN).unwrap();
    let check = |bytes: &[u8]| Manifest::parse(bytes)?.check_binding(report, &nonce);
    assert_eq!(check(&manifest), Ok(()));
    for place in 0..manifest.len() {
        for bit in 0..8 {
            let mut changed = manifest.clone();
            changed[place] ^= 1 << bit;
            assert!(check(&changed).is_err(), "byte {place}, bit {bit}");
        }
    }
    for size in 0..manifest.len() {
        let error = Manifest::parse(&manifest[..size]).unwrap_err();
        let expected = if size < 32 { ErrorKind::Truncated } else { ErrorKind::Size };
        assert_eq!(error.kind(), expected, "{size}");
    }
    let mut longer = manifest.clone();
    longer.push(0);
    assert_eq!(Manifest::parse(&longer).unwrap_err().kind(), ErrorKind::Size);
}

/// What one place of a manifest says wrongly.
#[test]
fn manifests_that_are_none() {
    let mut bank = bank();
    bank.extend(RegisterId(1), &[digest("x")]).unwrap();
    let mut bytes = vec![0; bank.manifest_size()];
    bank.write_manifest(&mut bytes).unwrap();
    // A register: 1 + 5 + 1 + 2 + 8 + 48.
    let second = 0x20 + 65;
    for (place, value, kind, offset) in [
        (0x03, 0, ErrorKind::Signature, 0),
        (0x10, 2, ErrorKind::Version(2), 0x10),
        (0x14, 1, ErrorKind::Size, 0x14),
        (0x18, 2, ErrorKind::Value, 0x18),
        (0x19, 1, ErrorKind::Reserved, 0x19),
        (0x1F, 1, ErrorKind::Reserved, 0x19),
        (0x1A, 33, ErrorKind::Count, 0x1A),
        (0x1A, 3, ErrorKind::Size, 0x20 + 3 * 65),
        (0x1A, 5, ErrorKind::Truncated, bytes.len()),
        (0x20, 0, ErrorKind::Name, 0x21),
        (0x21, b' ', ErrorKind::Name, 0x26),
        (0x25, b'1', ErrorKind::Name, second),
        (0x26, 0, ErrorKind::Value, 0x27),
        (0x27, 0x04 ^ 0xFF, ErrorKind::Algorithm, 0x29),
        (0x29 + 8, 1, ErrorKind::NeverExtended, 0x20 + 65),
        (second + 9, 0, ErrorKind::NeverExtended, second + 65),
    ] {
        let mut changed = bytes.clone();
        changed[place] = value;
        let error = Manifest::parse(&changed).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (kind, Some(offset)), "byte {place:#x}");
    }
    // One algorithm twice in a register.
    let both = Banks::new(&[Algorithm::Sha256, Algorithm::Sha512]).unwrap();
    let table = [Register::runtime("r", both)];
    let bank = SoftwareBank::<2>::new(&table, Isolation::None).unwrap();
    let mut bytes = vec![0; bank.manifest_size()];
    bank.write_manifest(&mut bytes).unwrap();
    let second = bytes.len() - 64 - 10;
    bytes.truncate(second + 10 + 32);
    bytes[second] = 0x0B;
    let size = u32::try_from(bytes.len()).unwrap();
    bytes[0x14..0x18].copy_from_slice(&size.to_le_bytes());
    assert_eq!(Manifest::parse(&bytes).unwrap_err().kind(), ErrorKind::Algorithm);
}

/// The known answer of `docs/platforms/snp.md`, byte for byte.
#[test]
fn the_format_as_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/platforms/snp.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = page.split("```manifest\n").nth(1).unwrap().split("```").next().unwrap();
    let digits = block.lines().map(|line| line.split(';').next().unwrap().replace(' ', ""));
    let expected = common::unhex(&digits.collect::<String>());
    let table = [Register::runtime("boot", Banks::one(Algorithm::Sha256))];
    let mut bank = SoftwareBank::<1>::new(&table, Isolation::Privileged).unwrap();
    bank.extend(RegisterId(0), &[Algorithm::Sha256.hash(b"hello")]).unwrap();
    let mut bytes = vec![0; bank.manifest_size()];
    assert_eq!(bank.write_manifest(&mut bytes).unwrap(), expected);
    let data = page.split("```report-data\n").nth(1).unwrap().split("```").next().unwrap();
    let data = common::unhex(&data.replace(['\n', ' '], ""));
    assert_eq!(svsm::report_data(&[0; 64], &expected).to_vec(), data);
}

/// The other services' manifests are hashed the same way: none is to be read as another.
#[test]
fn no_manifest_is_another() {
    let bank = bank();
    let mut bytes = vec![0; bank.manifest_size()];
    bank.write_manifest(&mut bytes).unwrap();
    assert_eq!(ServicesManifest::parse(&bytes).unwrap_err().kind(), ErrorKind::Signature);
    assert_eq!(EndorsementKey::parse(&bytes).unwrap_err().offset(), Some(0));
    // Within the list of an SVSM's services it is one.
    let mut list = ServicesManifest::GUID.mixed_bytes().to_vec();
    list.extend(u32::try_from(48 + bytes.len()).unwrap().to_le_bytes());
    list.extend(1_u32.to_le_bytes());
    list.extend(Manifest::SERVICE.mixed_bytes());
    list.extend(48_u32.to_le_bytes());
    list.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    list.extend(&bytes);
    assert_eq!(Manifest::parse(&list).unwrap_err().kind(), ErrorKind::Signature);
    let found = ServicesManifest::parse(&list).unwrap().find(Manifest::SERVICE).unwrap();
    assert!(Manifest::parse(found).is_ok());
    assert_ne!(Manifest::SERVICE, Guid::new(0));
}

/// The only report that a caller gets has a REPORT_DATA that is a hash.
#[test]
fn nobody_chooses_report_data() {
    let mut provider = SnpProvider::with_bank(guest([]), bank(), [0; REPORT_SIZE]).unwrap();
    let wanted = [0xCD; 64];
    let mut evidence = vec![0; 2000];
    let size = provider.as_reporter().unwrap().report(&wanted, &mut evidence).unwrap();
    let report = Report::parse(&evidence[..REPORT_SIZE], Versions::KNOWN).unwrap();
    let manifest = &evidence[REPORT_SIZE..size];
    assert_ne!(report.report_data(), &wanted);
    assert_eq!(*report.report_data(), svsm::report_data(&wanted, manifest));
    assert_eq!(report.guest_vmpl(), Some(Vmpl::VMPL0));
    let reporter = provider.as_reporter().unwrap();
    assert!(reporter.report(&[0; 65], &mut evidence).is_err());
    assert!(reporter.report(&[0; 64], &mut [0; REPORT_SIZE + 10]).is_err());
    assert!(reporter.report(&[0; 64], &mut [0; 10]).is_err());
}

#[test]
fn the_contract() {
    let provider = SnpProvider::with_bank(guest([]), bank(), [0; REPORT_SIZE]);
    tsm_sim::contract::check_contract(&mut provider.unwrap());
    let provider = SnpProvider::new(guest([]), Vmpl::VMPL2, [0; REPORT_SIZE]);
    tsm_sim::contract::check_contract(&mut provider.unwrap());
}

#[test]
fn static_registers() {
    let mut provider = SnpProvider::new(guest([]), Vmpl::VMPL1, [0; REPORT_SIZE]).unwrap();
    let measurement = provider.find("measurement").unwrap();
    assert_eq!(provider.value(measurement, Algorithm::Sha384).unwrap().as_bytes(), [0xA5; 48]);
    let chip = provider.find("chip_id").unwrap();
    let mut out = [0; 64];
    provider.read(chip, None, &mut out).unwrap();
    assert_eq!(out, [0xC1; 64]);
    let policy = provider.find("policy").unwrap();
    let mut out = [0; 8];
    provider.read(policy, None, &mut out).unwrap();
    assert_eq!(out, [0, 0, 3, 0, 0, 0, 0, 0]);
    assert_eq!(provider.last_report().vmpl(), 1);
    // Without a bank the caller's data is REPORT_DATA, with zeros behind.
    let mut report = [0; REPORT_SIZE];
    provider.as_reporter().unwrap().report(b"hello", &mut report).unwrap();
    assert_eq!((&report[0x50..0x55], report[0x55]), (&b"hello"[..], 0));
    assert_eq!(provider.attest(&[0; 64], &mut report, &mut []).unwrap_err().kind(), {
        ErrorKind::Refused(tsm_core::ErrorKind::NotPermitted)
    });
}

#[test]
fn names_that_are_taken() {
    let table = [Register::runtime("policy", Banks::one(Algorithm::Sha256))];
    let bank = SoftwareBank::<1>::new(&table, Isolation::None).unwrap();
    let error = SnpProvider::with_bank(guest([]), bank, [0; REPORT_SIZE]).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Name, Some(0)));
}

/// A hostile host makes reports fail, and the bank stays as it was.
#[test]
fn failures_leave_the_bank() {
    let busy =
        [Act::Honest, Act::Busy(false), Act::Busy(false), Act::Busy(false), Act::Busy(false)];
    let mut provider = SnpProvider::with_bank(guest(busy), bank(), [0; REPORT_SIZE]).unwrap();
    let rtmr0 = provider.find("rtmr0").unwrap();
    provider.extend(rtmr0, &[digest("a")]).unwrap();
    let (mut report, mut manifest) = ([0; REPORT_SIZE], [0; 1000]);
    let failed = provider.attest(&[1; 64], &mut report, &mut manifest).unwrap_err();
    assert_eq!((failed.kind(), report), (ErrorKind::Busy, [0; REPORT_SIZE]));
    // The message in flight is settled first; the report is of the bank as it is now.
    provider.extend(rtmr0, &[digest("b")]).unwrap();
    let size = provider.attest(&[1; 64], &mut report, &mut manifest).unwrap();
    let manifest = Manifest::parse(&manifest[..size]).unwrap();
    let report = Report::parse(&report, Versions::KNOWN).unwrap();
    assert_eq!(manifest.check_binding(report, &[1; 64]), Ok(()));
    assert_eq!(manifest.value("rtmr0", Algorithm::Sha384).unwrap().extensions, 2);
}

/// Reports may come from elsewhere, an operating system for example.
#[test]
fn another_source() {
    struct Elsewhere(Firmware);
    impl ReportSource for Elsewhere {
        fn report(
            &mut self,
            request: &ReportRequest,
            out: &mut [u8; REPORT_SIZE],
        ) -> Result<(), Error> {
            let mut payload = [0; 96];
            payload[..64].copy_from_slice(request.report_data());
            payload[64] = u8::try_from(request.vmpl()).unwrap();
            let sequence = self.0.counters[0] + 1;
            let page = self.0.seal(0, sequence, 5, &payload);
            let answer = self.0.answer(&page).map_err(|_| Error::not_sent())?;
            let (.., plain) = self.0.open(&answer).unwrap();
            out.copy_from_slice(&plain[0x20..]);
            Ok(())
        }
    }
    let mut provider =
        SnpProvider::new(Elsewhere(Firmware::new()), Vmpl::VMPL3, [0; REPORT_SIZE]).unwrap();
    assert_eq!(provider.last_report().vmpl(), 3);
    tsm_sim::contract::check_contract(&mut provider);
}
