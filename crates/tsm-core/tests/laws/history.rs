// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can happen to a register and its log.

use proptest::prelude::*;
use tsm_core::ErrorKind;
use tsm_sim::{Call, Fault};

use crate::machine::{Machine, Subject};

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// An application appends canonical lines.
    Append(Vec<Vec<u8>>),
    /// An off-log extension through the log, of the banks in the mask.
    OffLog(u8, u8),
    /// An extension that the log learns nothing of but that there was one.
    Behind(u8, u8),
    /// A fault of the device is armed.
    Arm(Call, u32, Fault),
    /// The disk fails at its next write.
    DiskFails,
    /// The process ends and opens the log again.
    Restart,
}

/// A line as an application writes it: canonical, not reserved.
pub(crate) fn line() -> impl Strategy<Value = Vec<u8>> {
    let word = "[a-zA-Z0-9._/-]{1,12}( [a-z0-9]{1,8}){0,2}".prop_map(String::into_bytes);
    let comment = prop_oneof![Just("#"), Just("##"), Just("# note"), Just("#.EXTEND x")]
        .prop_map(|text| text.as_bytes().to_vec());
    let odd = prop::sample::select(vec![
        &b"SYNCED"[..],
        b"SYNCx sha256/00",
        b"sync x",
        b"\0\xFF\x80",
        b"a \t b",
        b"x extend sha384/00",
    ])
    .prop_map(<[u8]>::to_vec);
    prop_oneof![4 => word, 1 => comment, 1 => odd]
}

/// Appends and extensions; `behind` is how often, of ten, the log is gone by.
pub(crate) fn quiet(behind: u32) -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => prop::collection::vec(line(), 1..5).prop_map(Event::Append),
        3 => (0..8u8, any::<u8>()).prop_map(|(mask, salt)| Event::OffLog(mask, salt)),
        behind => (0..8u8, any::<u8>()).prop_map(|(mask, salt)| Event::Behind(mask, salt)),
    ]
}

/// Any event. `stale` admits reads of old values, which no provider may answer.
pub(crate) fn any_event(stale: bool) -> impl Strategy<Value = Event> {
    let kinds = [
        ErrorKind::Failed,
        ErrorKind::Busy,
        ErrorKind::NotPermitted,
        ErrorKind::Locked,
        ErrorKind::NoSuchBank,
        ErrorKind::Unavailable,
    ];
    let fault = prop_oneof![
        3 => prop::sample::select(kinds.to_vec()).prop_map(Fault::Refuse),
        2 => (1..4u32).prop_map(Fault::Busy),
        3 => any::<bool>().prop_map(|effect| Fault::Unknown { effect }),
        if stale { 8 } else { 0 } => Just(Fault::Stale),
    ];
    let call = prop::sample::select(vec![Call::Extend, Call::Read, Call::Any]);
    prop_oneof![
        6 => quiet(1),
        4 => (call, 1..5u32, fault).prop_map(|(call, nth, fault)| Event::Arm(call, nth, fault)),
        1 => Just(Event::DiskFails),
        2 => Just(Event::Restart),
    ]
}

/// A machine after a history without faults.
pub(crate) fn lived(subject: Subject, events: &[Event]) -> Machine {
    let mut machine = Machine::new(subject, true);
    for event in events {
        match event {
            Event::Append(lines) => machine.append(&lines.join(&b'\n')).unwrap(),
            Event::OffLog(mask, salt) => machine.extend_off_log(*mask, *salt).unwrap(),
            Event::Behind(mask, salt) => machine.extend_behind(*mask, *salt),
            _ => {}
        }
    }
    machine
}

/// Machines after quiet histories.
pub(crate) fn histories(behind: u32) -> impl Strategy<Value = (Subject, Vec<Event>)> {
    (crate::machine::subject(), prop::collection::vec(quiet(behind), 0..10))
}
