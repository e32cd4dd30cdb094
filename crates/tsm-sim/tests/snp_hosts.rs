// SPDX-License-Identifier: MIT OR Apache-2.0
//! The adapter for SNP against the model's firmware, behind an honest host and behind every hostile
//! one.

use proptest::prelude::*;
use tsm_sim::snp::{Chip, Conduct, Firmware, Host, Hostile, Throttle};
use tsm_snp::message::{GuestFields, KeySelection, RootKey};
use tsm_snp::report::{Generation, Report, SigningKey};
use tsm_snp::{
    Cause, CertificateTable, Certificates, Error, ErrorKind, FirmwareStatus, GuestChannel,
    GuestMessages, HostStatus, KeyRequest, MessageStatus, REPORT_SIZE, ReportRequest, SecretsPage,
    VmpckIndex, Vmpl,
};

fn firmware() -> Firmware {
    // Not signed, for speed: what is tested here is messages.
    Firmware::new(Chip::new("hosts", Generation::Milan)).with_chip_key_masked()
}

fn guest(schedule: impl IntoIterator<Item = Conduct>) -> GuestMessages<Hostile> {
    let key = firmware().vmpck(VmpckIndex::ALL[0]);
    GuestMessages::new(key, Hostile::new(Host::new(firmware()), schedule))
}

/// Asks for a report of these data; on failure nothing may have been given out.
fn ask(guest: &mut GuestMessages<impl GuestChannel>, byte: u8) -> Result<u8, ErrorKind> {
    let mut out = [0xEE; REPORT_SIZE];
    match guest.report(&ReportRequest::new([byte; 64], Vmpl::VMPL0), &mut out) {
        Ok(()) => {
            let report = Report::parse(&out, Default::default()).unwrap();
            assert_eq!(report.report_data(), &[byte; 64]);
            Ok(byte)
        }
        Err(error) => {
            assert_eq!(out, [0xEE; REPORT_SIZE], "something was written");
            Err(error.kind())
        }
    }
}

#[test]
fn an_honest_host() {
    let mut guest = guest([]);
    for byte in 0..10 {
        assert_eq!(ask(&mut guest, byte), Ok(byte));
    }
    let tsc = guest.tsc_info().unwrap();
    assert_eq!((tsc.scale, tsc.offset, tsc.factor), (1 << 32, 0, 200));
    let host = guest.channel_mut();
    assert_eq!((host.sent(), host.nonces(), host.repeated_nonces()), (11, 11, 0));
    assert_eq!(host.host().firmware().counter(VmpckIndex::ALL[0]), 22);
}

/// A key speaks for its own level and those below it, and has a counter of its own.
#[test]
fn levels() {
    let mut host = Host::new(firmware());
    for index in VmpckIndex::ALL {
        let key = host.firmware().vmpck(index);
        let mut guest = GuestMessages::new(key, &mut host);
        for vmpl in Vmpl::ALL {
            let mut out = [0; REPORT_SIZE];
            let asked = guest.report(&ReportRequest::new([1; 64], vmpl), &mut out);
            if vmpl.number() < index.number() {
                let refused = ErrorKind::Message(MessageStatus::INVALID_PARAMETERS);
                assert_eq!(asked.unwrap_err().kind(), refused);
            } else {
                asked.unwrap();
                let report = Report::parse(&out, Default::default()).unwrap();
                assert_eq!(report.vmpl(), u32::from(vmpl.number()));
            }
        }
        assert!(guest.key().is_some());
        assert_eq!(host.firmware().counter(index), 8);
    }
}

#[test]
fn which_key_signs() {
    let signer = |firmware: Firmware, selection| {
        let key = firmware.vmpck(VmpckIndex::ALL[0]);
        let mut guest = GuestMessages::new(key, Host::new(firmware));
        let request = ReportRequest::new([1; 64], Vmpl::VMPL0).signed_with(selection);
        let mut out = [0; REPORT_SIZE];
        guest.report(&request, &mut out).map_err(|error| error.kind())?;
        let report = Report::parse(&out, Default::default()).unwrap();
        Ok((report.key_info().signing_key(), report.chip_id().is_masked()))
    };
    let plain = Firmware::new(Chip::new("hosts", Generation::Genoa));
    let vlek = plain.clone().with_vlek();
    use KeySelection::{Any, Vcek, Vlek};
    for (firmware, selection, expected) in [
        (&plain, Any, Ok((SigningKey::Vcek, false))),
        (&plain, Vcek, Ok((SigningKey::Vcek, false))),
        (&plain, Vlek, Err(ErrorKind::Message(MessageStatus::INVALID_KEY_SELECTION))),
        (&vlek, Any, Ok((SigningKey::Vlek, true))),
        (&vlek, Vcek, Ok((SigningKey::Vcek, false))),
        (&vlek, Vlek, Ok((SigningKey::Vlek, true))),
        (&plain.clone().with_chip_key_masked(), Any, Ok((SigningKey::None, false))),
        (&plain.clone().with_chip_id_masked(), Any, Ok((SigningKey::Vcek, true))),
    ] {
        assert_eq!(signer(firmware.clone(), selection), expected, "{selection:?}");
    }
}

#[test]
fn derived_keys() {
    let mut guest = guest([]);
    let root = RootKey::Endorsement(KeySelection::Any);
    let request = KeyRequest::new(root, GuestFields::MEASUREMENT, Vmpl::VMPL1);
    let first = *guest.derive_key(&request).unwrap().as_bytes();
    assert_eq!(guest.derive_key(&request).unwrap().as_bytes(), &first);
    // Whatever is asked for goes into the key.
    let others = [
        KeyRequest::new(RootKey::Migration, GuestFields::MEASUREMENT, Vmpl::VMPL1),
        KeyRequest::new(root, GuestFields::MEASUREMENT, Vmpl::VMPL2),
        KeyRequest::new(root, GuestFields::MEASUREMENT | GuestFields::POLICY, Vmpl::VMPL1),
        request.launch_mitigation_vector(1),
        request.launch_mitigation_vector(2),
    ];
    let mut keys = vec![first];
    for request in others {
        keys.push(*guest.derive_key(&request).unwrap().as_bytes());
    }
    // What the guest is only where it was selected.
    guest.channel_mut().host_mut().firmware_mut().guest_mut().measurement[0] ^= 1;
    keys.push(*guest.derive_key(&request).unwrap().as_bytes());
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 7);
    let policy = KeyRequest::new(root, GuestFields::POLICY, Vmpl::VMPL1);
    let before = *guest.derive_key(&policy).unwrap().as_bytes();
    guest.channel_mut().host_mut().firmware_mut().guest_mut().measurement[0] ^= 1;
    assert_eq!(guest.derive_key(&policy).unwrap().as_bytes(), &before);

    let refused = |request, status| {
        let mut guest = self::guest([]);
        let error = guest.derive_key(&request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Message(status));
        assert!(guest.key().is_some());
    };
    // Above the ID block's SVN; above COMMITTED_TCB in one component; a VLEK that is not there.
    refused(request.guest_svn(4), MessageStatus::INVALID_PARAMETERS);
    refused(request.tcb_version(5), MessageStatus::INVALID_PARAMETERS);
    guest.derive_key(&request.guest_svn(3).tcb_version(4)).unwrap();
    let vlek = RootKey::Endorsement(KeySelection::Vlek);
    let vlek = KeyRequest::new(vlek, GuestFields::NONE, Vmpl::VMPL1);
    refused(vlek, MessageStatus::INVALID_KEY_SELECTION);
}

/// After each of these the key is gone, nothing was given out, and nothing is sent any more.
#[test]
fn what_disables_a_key() {
    let firmware = |status| Cause::Firmware(FirmwareStatus(status));
    let change = |at, mask| Conduct::Change { at, mask };
    let (ok, busy) = (FirmwareStatus::SUCCESS, HostStatus::BUSY);
    let cases = [
        (Conduct::Drop, Cause::Sequence(0)),
        (Conduct::DropAnswer, Cause::Sequence(0)),
        (Conduct::Replay(1), Cause::Sequence(2)),
        (Conduct::Replay(9), Cause::Sequence(0)),
        (Conduct::Reorder, Cause::Sequence(0)),
        (Conduct::Twice, firmware(0x1D)),
        (Conduct::Mirror, Cause::Sequence(3)),
        (Conduct::Busy { passed_on: true }, firmware(0x1D)),
        (Conduct::MorePages(Some(4)), Cause::Host(HostStatus::INVALID_LENGTH)),
        (Conduct::Unmarked { info_1: false, info_2: true }, Cause::Undefined),
        (Conduct::Unmarked { info_1: true, info_2: false }, Cause::Undefined),
        (Conduct::Unmarked { info_1: false, info_2: false }, Cause::Undefined),
        (Conduct::Status(FirmwareStatus(0x99), HostStatus::SUCCESS), firmware(0x99)),
        (Conduct::Status(FirmwareStatus(0x16), busy), firmware(0x16)),
        (Conduct::Status(ok, HostStatus(7)), Cause::Host(HostStatus(7))),
        (Conduct::Unhandled(1), Cause::Unhandled(1, 0)),
        (Conduct::Unhandled(77), Cause::Unhandled(77, 0)),
        (change(0, 1), Cause::Unauthentic),
        (change(16, 1), Cause::Header),
        (change(0x20, 1), Cause::Sequence(5)),
        (change(0x28, 1), Cause::Header),
        (change(0x30, 1), Cause::Header),
        (change(0x35, 3), Cause::Header),
        (change(0x3C, 1), Cause::Header),
        (change(0x60, 1), Cause::Unauthentic),
        (change(0x51F, 0x80), Cause::Unauthentic),
        (Conduct::Type(4), Cause::MessageType(4)),
        (Conduct::Type(5), Cause::MessageType(5)),
        (Conduct::Size(0), Cause::MessageSize(0)),
        (Conduct::Size(0x4BF), Cause::MessageSize(0x4BF)),
        (Conduct::Size(0x4C1), Cause::MessageSize(0x4C1)),
        (Conduct::Size(u16::MAX), Cause::MessageSize(u16::MAX)),
        (Conduct::Truncate(0x60), Cause::Unauthentic),
        (Conduct::Truncate(0x51F), Cause::Unauthentic),
        (Conduct::ChangeRequest { at: 0x61, mask: 1 }, firmware(0x16)),
        // Another key, under which this number is not the next.
        (Conduct::ChangeRequest { at: 0x3C, mask: 1 }, firmware(0x1D)),
        (Conduct::ChangeRequest { at: 0x20, mask: 2 }, firmware(0x1D)),
    ];
    for (conduct, cause) in cases {
        let mut guest = guest([Conduct::Honest, conduct]);
        assert_eq!(ask(&mut guest, 1), Ok(1));
        let disabled = ErrorKind::Disabled(cause);
        assert_eq!(ask(&mut guest, 2), Err(disabled), "{conduct:?}");
        let sent = guest.channel_mut().sent();
        for byte in [2, 3] {
            assert_eq!(ask(&mut guest, byte), Err(disabled), "{conduct:?}");
        }
        assert_eq!((guest.channel_mut().sent(), guest.key()), (sent, None), "{conduct:?}");
        assert_eq!(guest.channel_mut().repeated_nonces(), 0, "{conduct:?}");
    }
}

/// Responses that are authentic, but of another request.
#[test]
fn swapped_answers() {
    let mut guest = guest([Conduct::Honest, Conduct::Honest, Conduct::Replay(2)]);
    assert_eq!((ask(&mut guest, 1), ask(&mut guest, 2)), (Ok(1), Ok(2)));
    assert_eq!(ask(&mut guest, 3), Err(ErrorKind::Disabled(Cause::Sequence(2))));
    // Bytes behind the response are nobody's.
    let mut guest = self::guest([Conduct::Change { at: 0x520, mask: 1 }, Conduct::Truncate(0x520)]);
    assert_eq!((ask(&mut guest, 1), ask(&mut guest, 2)), (Ok(1), Ok(2)));
}

#[test]
fn throttled() {
    let mut host = Host::new(firmware());
    host.set_throttle(Throttle::every(2));
    let mut guest = GuestMessages::new(firmware().vmpck(VmpckIndex::ALL[0]), host);
    for byte in 0..8 {
        assert_eq!(ask(&mut guest, byte), Ok(byte));
    }
    guest.channel_mut().set_throttle(Throttle::ALWAYS);
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Busy));
    assert!(guest.is_in_flight());
    assert_eq!(guest.channel_mut().firmware().counter(VmpckIndex::ALL[0]), 16);
    guest.channel_mut().set_throttle(Throttle::NEVER);
    // Another request: the one in flight is settled first.
    assert_eq!(ask(&mut guest, 2), Ok(2));
    assert_eq!(guest.channel_mut().firmware().counter(VmpckIndex::ALL[0]), 20);
}

#[test]
fn certificates() {
    let request = ReportRequest::new([3; 64], Vmpl::VMPL0);
    let mut out = [0; REPORT_SIZE];
    let with = |table: Vec<u8>| {
        let key = firmware().vmpck(VmpckIndex::ALL[0]);
        GuestMessages::new(key, Host::new(firmware()).with_certificates(table))
    };
    // The empty table.
    let mut guest = with(vec![0; 24]);
    let mut room = vec![0xAA; 4096];
    let came = guest.report_with_certificates(&request, &mut out, &mut room).unwrap();
    assert_eq!(came, Certificates::Copied);
    assert_eq!(CertificateTable::parse(&room).unwrap().entries().count(), 0);
    // One byte more than a page.
    let mut guest = with(vec![5; 4097]);
    let came = guest.report_with_certificates(&request, &mut out, &mut room).unwrap();
    assert_eq!(came, Certificates::Pages(Some(2)));
    assert_eq!(out[Report::REPORT_DATA], 3);
    // Pages are whole.
    let mut room = vec![0xAA; 8191];
    let came = guest.report_with_certificates(&request, &mut out, &mut room).unwrap();
    assert_eq!(came, Certificates::Pages(Some(2)));
    let mut room = vec![0xAA; 8192];
    let came = guest.report_with_certificates(&request, &mut out, &mut room).unwrap();
    assert!(came == Certificates::Copied && room[4096] == 5 && room[4097..] == [0; 4095]);
    // Each of the three took one number, although some were sent twice.
    assert_eq!(guest.channel_mut().firmware().counter(VmpckIndex::ALL[0]), 6);
}

/// Certificates are the host's: the report comes whatever they are, and the table is refused.
#[test]
fn certificates_of_a_hostile_host() {
    let request = ReportRequest::new([3; 64], Vmpl::VMPL0);
    for byte in [1, 0xFF] {
        let mut guest = guest([Conduct::Certificates(byte), Conduct::MorePages(Some(u64::MAX))]);
        let (mut out, mut room) = ([0; REPORT_SIZE], vec![0; 4096]);
        let came = guest.report_with_certificates(&request, &mut out, &mut room).unwrap();
        assert_eq!((came, out[Report::REPORT_DATA]), (Certificates::Copied, 3));
        assert_eq!(CertificateTable::parse(&room).unwrap_err().kind(), ErrorKind::Count);
        let came = guest.report_with_certificates(&request, &mut out, &mut room).unwrap();
        assert_eq!(came, Certificates::Pages(Some(u64::MAX)));
        assert_eq!(guest.channel_mut().repeated_nonces(), 0);
    }
}

/// The secrets page as the model writes it is the one that the adapter reads.
#[test]
fn secrets_are_handed_on() {
    let mut host = Host::new(firmware());
    let mut page = Box::new([0; 4096]);
    for turn in 0..3 {
        host.firmware().write_secrets(&mut page);
        let page = SecretsPage::of(&mut page);
        assert_eq!((page.version(), page.tsc_factor()), (3, 200));
        // Family 19, model 1, stepping 1, as EAX of CPUID has it.
        assert_eq!(page.processor(), 0x00A0_0F11);
        let key = page.take(VmpckIndex::ALL[1]).unwrap();
        assert_eq!(key.counter(), turn * 2);
        let mut guest = GuestMessages::new(key, &mut host);
        guest.tsc_info().unwrap();
    }
    // An unused key at a firmware that has counted is of no use.
    let mut guest = GuestMessages::new(firmware().vmpck(VmpckIndex::ALL[1]), &mut host);
    let overflow = Cause::Firmware(FirmwareStatus::AEAD_OVERFLOW);
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Disabled(overflow)));
}

fn conduct() -> impl Strategy<Value = Conduct> {
    let byte = || (prop_oneof![0_usize..0x540, 0_usize..4096], 1_u8..);
    prop_oneof![
        8 => Just(Conduct::Honest),
        3 => Just(Conduct::Busy { passed_on: false }),
        1 => Just(Conduct::Busy { passed_on: true }),
        1 => Just(Conduct::NotSent),
        1 => Just(Conduct::Drop),
        1 => Just(Conduct::DropAnswer),
        1 => proptest::option::of(0_u64..9).prop_map(Conduct::MorePages),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(info_1, info_2)| Conduct::Unmarked { info_1, info_2 }),
        1 => (0_u32..0x30, 0_u32..4)
            .prop_map(|(a, b)| Conduct::Status(FirmwareStatus(a), HostStatus(b))),
        1 => (0_u32..4).prop_map(Conduct::Unhandled),
        1 => (1_usize..4).prop_map(Conduct::Replay),
        1 => Just(Conduct::Reorder),
        1 => Just(Conduct::Twice),
        1 => Just(Conduct::Mirror),
        1 => byte().prop_map(|(at, mask)| Conduct::Change { at, mask }),
        1 => any::<u8>().prop_map(Conduct::Type),
        1 => any::<u16>().prop_map(Conduct::Size),
        1 => (0_usize..4096).prop_map(Conduct::Truncate),
        1 => any::<u8>().prop_map(Conduct::Certificates),
        1 => byte().prop_map(|(at, mask)| Conduct::ChangeRequest { at, mask }),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Want {
    Report(u8),
    WithCertificates(u8),
    Key,
    Tsc,
    /// The same as before.
    Again,
}

fn carry_out(guest: &mut GuestMessages<Hostile>, want: Want) -> Result<(), Error> {
    let mut out = [0; REPORT_SIZE];
    match want {
        Want::Report(data) => {
            guest.report(&ReportRequest::new([data; 64], Vmpl::VMPL2), &mut out)?;
            assert_eq!(out[Report::REPORT_DATA..][..64], [data; 64]);
        }
        Want::WithCertificates(data) => {
            let request = ReportRequest::new([data; 64], Vmpl::VMPL1);
            let _ = guest.report_with_certificates(&request, &mut out, &mut [0; 4096])?;
            assert_eq!(out[Report::REPORT_DATA..][..64], [data; 64]);
        }
        Want::Key => {
            let root = RootKey::Endorsement(KeySelection::Any);
            let _ = guest.derive_key(&KeyRequest::new(root, GuestFields::NONE, Vmpl::VMPL0))?;
        }
        Want::Tsc => assert_eq!(guest.tsc_info()?.factor, 200),
        Want::Again => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    /// Whatever the host does: no nonce twice, no wrong answer, no word after the key is gone.
    #[test]
    fn random_schedules(
        schedule in prop::collection::vec(conduct(), 0..40),
        wants in prop::collection::vec(prop_oneof![
            any::<u8>().prop_map(Want::Report),
            any::<u8>().prop_map(Want::WithCertificates),
            Just(Want::Key),
            Just(Want::Tsc),
            Just(Want::Again),
        ], 1..30),
    ) {
        let mut guest = guest(schedule);
        let mut last = Want::Tsc;
        for want in wants {
            if !matches!(want, Want::Again) {
                last = want;
            }
            let (sent, dead) = (guest.channel_mut().sent(), guest.cause());
            let result = carry_out(&mut guest, last).map_err(|error| error.kind());
            match result {
                Ok(()) => prop_assert!(guest.key().is_some() && !guest.is_in_flight()),
                Err(ErrorKind::Busy | ErrorKind::NotSent) => prop_assert!(guest.is_in_flight()),
                Err(ErrorKind::Disabled(cause)) => {
                    prop_assert_eq!(guest.cause(), Some(cause));
                    prop_assert!(dead.is_none_or(|before| before == cause));
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
            prop_assert_eq!(guest.channel_mut().repeated_nonces(), 0);
            if dead.is_some() {
                prop_assert!(result.is_err() && guest.channel_mut().sent() == sent);
            }
        }
    }
}
