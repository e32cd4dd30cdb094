// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::log::{Limits, RecordLog, SliceStorage};
use crate::provider::Error as _;
use crate::replay::Replay;
use crate::testing::Memory;
use crate::virtual_registers::FoldSink;
use crate::{Banks, Logged};

const A: Algorithm = Algorithm::Sha256;
const B: Algorithm = Algorithm::Sha384;
const RTMR: RegisterId = RegisterId(0);

type Below<'s> = Logged<&'s mut Memory, SliceStorage<'s>, 1>;

fn table() -> [Register<'static>; 2] {
    let two = Banks::new(&[A, B]).unwrap();
    [Register::runtime("mr_a", Banks::one(A)), Register::runtime("mr_b", two)]
}

fn below<'s>(device: &'s mut Memory, buffer: &'s mut [u8]) -> Below<'s> {
    let mut logged = Logged::new(device);
    let log = RecordLog::new(SliceStorage::new(buffer), Limits::DEFAULT);
    logged.attach(RTMR, log).unwrap();
    logged
}

/// What a verifier finds: the log explains the register, and the virtual values.
fn verify(below: &Below<'_>, table: &[Register<'_>]) -> Vec<Digest> {
    let log = below.log(RTMR).unwrap().storage().as_bytes();
    let values = below.provider().all(RTMR);
    let start: Vec<_> = values.iter().map(|v| Digest::zeros(v.algorithm())).collect();
    let mut replay = Replay::new(&start).unwrap();
    replay.expect(&values).unwrap();
    let mut sink = FoldSink::new(Fold::<8>::new(table).unwrap());
    replay.feed(log, Limits::DEFAULT, &mut sink).unwrap();
    assert_eq!(replay.outcome().holds(), Some(true));
    assert_eq!(sink.malformed(), None);
    sink.fold().values().map(|v| v.value).collect()
}

// T-21
#[test]
fn virtual_registers_are_registers() {
    let (mut device, table) = (Memory::one(&[B]), table());
    let mut buffer = [0; 8192];
    let mut virt =
        VirtualRegisters::<_, 3>::open(below(&mut device, &mut buffer), RTMR, &table).unwrap();
    let names: Vec<_> = virt.registers().map(|(_, r)| r.name).collect();
    assert_eq!(names, ["rtmr", "mr_a", "mr_b"]);
    let (a, b) = (virt.find("mr_a").unwrap(), virt.find("mr_b").unwrap());
    assert_eq!(virt.value(a, A), Ok(Digest::zeros(A)));

    let x = A.hash(b"x");
    virt.extend(a, &[x]).unwrap();
    virt.extend(b, &[x, B.hash(b"x")]).unwrap();
    virt.extend(b, &[B.hash(b"y")]).unwrap();
    let mut expected = Digest::zeros(A);
    expected.extend(&x).unwrap();
    assert_eq!(virt.value(a, A), Ok(expected));
    assert_eq!(virt.value(b, A), Ok(expected), "the same digests, the same value");

    // Other records go by, and a well-formed extension by hand is one.
    virt.append(RTMR, format!("app did things\nmr_a extend {x}\n").as_bytes()).unwrap();
    expected.extend(&x).unwrap();
    assert_eq!(virt.value(a, A), Ok(expected));
    let values: Vec<_> = virt.fold().values().map(|v| v.value).collect();
    let below = virt.into_inner();
    assert_eq!(verify(&below, &table), values);
    let again = VirtualRegisters::<_, 3>::open(below, RTMR, &table).unwrap();
    assert_eq!(again.fold().values().map(|v| v.value).collect::<Vec<_>>(), values);
}

// T-22
#[test]
fn nobody_spoils_the_carrier() {
    let (mut device, table) = (Memory::one(&[B]), table());
    let mut buffer = [0; 8192];
    let mut virt =
        VirtualRegisters::<_, 3>::open(below(&mut device, &mut buffer), RTMR, &table).unwrap();
    let foreign = format!("ok\n mr_a extend {}", B.hash(b""));
    for bad in ["ok\nmr_a", "mr_a extend sha256/00", "mr_a\textend x", &foreign] {
        let error = virt.append(RTMR, bad.as_bytes()).unwrap_err();
        assert!(matches!(error, VirtualError::Record(_)), "{bad}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(virt.log_size(RTMR), Ok(0), "refused before anything was extended");
    virt.append(RTMR, b"mr_abc anything").unwrap();
}

// T-22
#[test]
fn opening_refuses() {
    let mut device = Memory::one(&[B]);
    let mut buffer = [0; 1024];
    let mut below = below(&mut device, &mut buffer);
    let native = [Register::runtime("rtmr", Banks::one(A))];
    let open = |below: &mut Below<'_>, id, table: &[Register<'_>]| {
        VirtualRegisters::<_, 2>::open(&mut *below, id, table).map(drop).unwrap_err()
    };
    assert_eq!(open(&mut below, RTMR, &native), OpenError::NameTaken);
    let too_many = OpenError::Table(TableError::TooMany);
    assert_eq!(open(&mut below, RTMR, &table()), too_many);
    assert_eq!(open(&mut below, RegisterId(7), &table()[..1]), OpenError::NoLog);
    below.append(RTMR, b"first\nmr_a nonsense\n").unwrap();
    let offset = below.log(RTMR).unwrap().storage().as_bytes();
    let offset = offset.windows(4).position(|w| w == b"mr_a").unwrap() as u64;
    let malformed = VirtualError::Record(RecordError::NotAnExtension);
    assert_eq!(open(&mut below, RTMR, &table()[..1]), OpenError::Log(malformed, offset));
}

/// Lines around the size of the window, under a virtual name and not.
// T-22
#[test]
fn long_lines() {
    let table = table();
    for len in (WINDOW - 3..WINDOW + 4).chain([2 * WINDOW, 2 * WINDOW + 1, 4000]) {
        let mut device = Memory::one(&[B]);
        let mut buffer = [0; 16384];
        let mut virt =
            VirtualRegisters::<_, 3>::open(below(&mut device, &mut buffer), RTMR, &table).unwrap();
        let a = virt.find("mr_a").unwrap();
        virt.append(RTMR, &vec![b'x'; len]).unwrap();
        virt.extend(a, &[A.hash(b"x")]).unwrap();
        assert_eq!(virt.fold().records(0), 1, "{len}");
        let mut below = virt.into_inner();
        let mut long = b"mr_a extend ".to_vec();
        long.resize(len, b'0');
        below.append(RTMR, &long).unwrap();
        let error = VirtualRegisters::<_, 3>::open(below, RTMR, &table).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Log(VirtualError::Record(_), _)), "{len}");
    }
}

/// Fails at every extension below: the virtual values always are what the log says.
// T-23
#[test]
fn a_fault_below_leaves_values_and_log_agreeing() {
    let table = table();
    for kind in [ErrorKind::Busy, ErrorKind::StateUnknown] {
        for at in 0..5 {
            let mut device = Memory::one(&[B]);
            device.fault = Some((at, kind));
            let mut buffer = [0; 8192];
            let below = below(&mut device, &mut buffer);
            let mut virt = VirtualRegisters::<_, 3>::open(below, RTMR, &table).unwrap();
            let b = virt.find("mr_b").unwrap();
            let both = [A.hash(b"x"), B.hash(b"x")];
            for _ in 0..2 {
                let before = virt.fold().records(1);
                if let Err(error) = virt.extend(b, &both) {
                    // SYNC and the first record have no effect on the virtual register; the second
                    // leaves it half extended, which nobody may take for nothing.
                    let changed = virt.fold().records(1) != before;
                    assert!(!changed || error.kind() == ErrorKind::StateUnknown);
                }
            }
            virt.extend(b, &both).unwrap();
            let values: Vec<_> = virt.fold().values().map(|v| v.value).collect();
            let again = VirtualRegisters::<_, 3>::open(virt.into_inner(), RTMR, &table).unwrap();
            assert_eq!(again.fold().values().map(|v| v.value).collect::<Vec<_>>(), values);
        }
    }
}

/// A virtual register with a log of its own: every record of that log is a record in the carrier's.
// T-23
#[test]
fn composes_with_a_log_on_top() {
    let (mut device, table) = (Memory::one(&[B]), table());
    let mut buffer = [0; 8192];
    let mut own = [0; 1024];
    let virt =
        VirtualRegisters::<_, 3>::open(below(&mut device, &mut buffer), RTMR, &table).unwrap();
    let a = virt.find("mr_a").unwrap();
    let mut top = Logged::<_, _, 1>::new(virt);
    top.attach(a, RecordLog::new(SliceStorage::new(&mut own), Limits::DEFAULT)).unwrap();
    let recorder = top.as_recorder().unwrap();
    assert!(recorder.has_log(a) && recorder.has_log(RTMR));
    recorder.append(a, b"one\ntwo").unwrap();
    let value = top.value(a, A).unwrap();
    let mut replay = Replay::new(&[Digest::zeros(A)]).unwrap();
    replay.expect(&[value]).unwrap();
    let log = top.log(a).unwrap().storage().as_bytes();
    replay.feed(log, Limits::DEFAULT, &mut ()).unwrap();
    assert_eq!(replay.outcome().holds(), Some(true));
    assert_eq!(top.provider().fold().records(0), 3);
}
