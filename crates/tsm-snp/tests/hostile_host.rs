// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any host whatever: no schedule makes the guest seal two messages under one nonce, or take for an
//! answer what is none. `Host` asserts the former at every message that it sees.

mod common;

use common::host::{Act, Host};
use proptest::prelude::*;
use tsm_snp::message::{GuestFields, RootKey};
use tsm_snp::{
    Error, ErrorKind, GuestMessages, KeyRequest, REPORT_SIZE, Report, ReportRequest, Vmpck,
    VmpckIndex, Vmpl,
};

fn act() -> impl Strategy<Value = Act> {
    let place = prop_oneof![0_usize..0x60, 0x60_usize..0x520, 0_usize..4096];
    let mask = 1_u8..;
    prop_oneof![
        6 => Just(Act::Honest),
        1 => Just(Act::NotSent),
        1 => Just(Act::Swallow),
        1 => Just(Act::KeepAnswer),
        4 => Just(Act::Busy(false)),
        1 => Just(Act::Busy(true)),
        2 => prop::option::of(any::<u64>()).prop_map(Act::MorePages),
        1 => any::<(bool, bool)>().prop_map(|(first, second)| Act::Unmarked(first, second)),
        1 => (0_u32..0x30, 0_u32..4).prop_map(|(firmware, host)| Act::Status(firmware, host)),
        1 => any::<u32>().prop_map(Act::Unhandled),
        2 => any::<usize>().prop_map(Act::Replay),
        1 => Just(Act::Mirror),
        1 => (place.clone(), mask.clone()).prop_map(|(at, mask)| Act::Change(at, mask)),
        1 => (0_usize..4096).prop_map(Act::Cut),
        1 => (place, mask).prop_map(|(at, mask)| Act::ChangeRequest(at, mask)),
    ]
}

/// What the guest wants next.
#[derive(Clone, Debug)]
enum Want {
    Report(u8, u8),
    WithCertificates(u8),
    Key(bool),
    Tsc,
    /// The same as before.
    Again,
}

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![
        4 => (any::<u8>(), 0_u8..4).prop_map(|(data, vmpl)| Want::Report(data, vmpl)),
        2 => any::<u8>().prop_map(Want::WithCertificates),
        1 => any::<bool>().prop_map(Want::Key),
        1 => Just(Want::Tsc),
        4 => Just(Want::Again),
    ]
}

fn carry_out(guest: &mut GuestMessages<Host>, want: &Want) -> Result<(), Error> {
    let mut out = [0; REPORT_SIZE];
    let check = |out: &[u8], data: u8, vmpl: u8| {
        let report = Report::parse(out, Default::default()).unwrap();
        assert_eq!((report.report_data(), report.vmpl()), (&[data; 64], u32::from(vmpl)));
    };
    match *want {
        Want::Report(data, vmpl) => {
            let level = Vmpl::new(vmpl.into()).unwrap();
            guest.report(&ReportRequest::new([data; 64], level), &mut out)?;
            check(&out, data, vmpl);
        }
        Want::WithCertificates(data) => {
            let request = ReportRequest::new([data; 64], Vmpl::VMPL1);
            let _ = guest.report_with_certificates(&request, &mut out, &mut [0; 64])?;
            check(&out, data, 1);
        }
        Want::Key(newer) => {
            let request = KeyRequest::new(RootKey::Migration, GuestFields::POLICY, Vmpl::VMPL1);
            let request = if newer { request.launch_mitigation_vector(3) } else { request };
            assert_eq!(guest.derive_key(&request)?.as_bytes(), &[0x5E; 32]);
        }
        Want::Tsc => assert_eq!(guest.tsc_info()?.offset, 2),
        Want::Again => unreachable!(),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_nonce_twice(
        schedule in prop::collection::vec(act(), 0..40),
        wants in prop::collection::vec(want(), 1..30),
        key in 0_usize..2,
    ) {
        let host = Host::new(schedule);
        let mut bytes = host.firmware.keys[key];
        let key = Vmpck::unused(VmpckIndex::ALL[key], &mut bytes);
        let mut guest = GuestMessages::new(key, host);
        let mut last = Want::Tsc;
        for want in wants {
            // A request is repeated often, as callers do after `Busy`.
            if !matches!(want, Want::Again) {
                last = want;
            }
            let (sent, dead) = (guest.channel_mut().sent, guest.cause());
            let result = carry_out(&mut guest, &last).map_err(|error| error.kind());
            match result {
                Ok(()) => prop_assert!(guest.key().is_some() && !guest.is_in_flight()),
                Err(ErrorKind::Busy | ErrorKind::NotSent) => prop_assert!(guest.is_in_flight()),
                Err(ErrorKind::Message(_)) => prop_assert!(!guest.is_in_flight()),
                Err(ErrorKind::Disabled(cause)) => {
                    prop_assert_eq!(guest.cause(), Some(cause));
                    prop_assert!(dead.is_none_or(|before| before == cause));
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
            if dead.is_some() {
                prop_assert!(result.is_err() && guest.channel_mut().sent == sent);
            }
        }
    }
}
