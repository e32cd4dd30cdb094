// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::log::{NoRoom, SliceStorage};
use crate::register::Register;
use crate::replay::{Match, verify};
use crate::testing::Memory;

const RTMR: RegisterId = RegisterId(0);
const SHA256: &[Algorithm] = &[Algorithm::Sha256];
const TWO: &[Algorithm] = &[Algorithm::Sha1, Algorithm::Sha384];

type Failure = WriteError<ErrorKind, NoRoom>;

fn text<S: Storage>(log: &RecordLog<S>) -> String {
    String::from_utf8_lossy(log.storage().as_slice().unwrap()).into_owned()
}

fn zeros(banks: &[Algorithm]) -> Vec<Digest> {
    banks.iter().map(|&b| Digest::zeros(b)).collect()
}

/// The log explains the register.
fn holds<S: Storage>(log: &RecordLog<S>, device: &Memory) -> Option<bool> {
    let values = device.all(RTMR);
    let start: Vec<_> = values.iter().map(|v| Digest::zeros(v.algorithm())).collect();
    let bytes = log.storage().as_slice().unwrap();
    verify(bytes, &start, &values, Limits::DEFAULT, &mut ()).unwrap().holds()
}

/// The example of the specification, section 3.
#[test]
fn the_log_as_the_rfc_writes_it() {
    let mut device = Memory::one(SHA256);
    let mut buffer = [0; 4096];
    let mut log = RecordLog::new(SliceStorage::new(&mut buffer), Limits::DEFAULT);
    log.append(&mut device, RTMR, b"alpha\nbeta\n").unwrap();
    log.append(&mut device, RTMR, b"gamma").unwrap();
    let one = Algorithm::Sha256.hash(b"one");
    let two = Algorithm::Sha256.hash(b"two");
    log.extend_off_log(&mut device, RTMR, &[one]).unwrap();
    log.extend_off_log(&mut device, RTMR, &[two]).unwrap();
    let after_both = device.all(RTMR)[0];
    log.append(&mut device, RTMR, b"delta\n").unwrap();

    let hex = |d: Digest| hex::Hex(d.as_bytes()).to_string();
    let expected = format!(
        "SYNC {}\n\nalpha\nbeta\n\ngamma\n\n# .EXTEND {}\n# .EXTEND {}\n\nSYNC {}\n\ndelta\n",
        Digest::zeros(Algorithm::Sha256),
        hex(one),
        hex(two),
        after_both
    );
    assert_eq!(text(&log), expected);
    assert_eq!(holds(&log, &device), Some(true));
}

#[test]
fn two_banks() {
    let mut device = Memory::one(TWO);
    let mut buffer = [0; 4096];
    let mut log = RecordLog::new(SliceStorage::new(&mut buffer), Limits::DEFAULT);
    log.append(&mut device, RTMR, b"alpha").unwrap();
    let some = Algorithm::Sha384.hash(b"x");
    log.extend_off_log(&mut device, RTMR, &[some]).unwrap();
    log.extend_off_log(&mut device, RTMR, &[Algorithm::Sha1.hash(b"y"), some]).unwrap();
    log.append(&mut device, RTMR, b"beta").unwrap();
    let zero = zeros(TWO);
    let y = Algorithm::Sha1.hash(b"y");
    let start = format!(
        "SYNC {} {}\n\nalpha\n\n# .EXTEND {some}\n# .EXTEND {y} {some}\n\nSYNC sha1/",
        zero[0], zero[1]
    );
    assert!(text(&log).starts_with(&start), "{}", text(&log));
    assert_eq!(holds(&log, &device), Some(true));
}

// T-12
#[test]
fn input_is_cut_and_trimmed() {
    let mut device = Memory::one(SHA256);
    let mut buffer = [0; 4096];
    let mut log = RecordLog::new(SliceStorage::new(&mut buffer), Limits::DEFAULT);
    let done =
        log.append(&mut device, RTMR, b" \t a b\x0B\r\n\n\r# note \n\0nul\xFF\rlast").unwrap();
    assert_eq!(done, Appended { records: 3, synced: true });
    let lines = text(&log);
    assert!(lines.ends_with("\n\na b\n# note\n\0nul\u{FFFD}\nlast\n"), "{lines:?}");
    assert_eq!(device.extensions, 4);
    assert_eq!(holds(&log, &device), Some(true));
}

#[test]
fn nothing_to_append_does_nothing() {
    let mut device = Memory::one(SHA256);
    let mut buffer = [0; 4096];
    let mut log = RecordLog::new(SliceStorage::new(&mut buffer), Limits::DEFAULT);
    for nothing in [&b""[..], b"\n", b" \r\n\t\x0B\x0C\n"] {
        let done = log.append(&mut device, RTMR, nothing).unwrap();
        assert_eq!(done, Appended { records: 0, synced: false });
    }
    assert_eq!((text(&log), device.extensions), (String::new(), 0));
}

// T-09
#[test]
fn refusals_come_before_any_effect() {
    let mut device = Memory::one(SHA256);
    let mut buffer = [0; 200];
    let mut log = RecordLog::new(SliceStorage::new(&mut buffer), Limits::DEFAULT.record(100));
    let long = [b"ok\n".to_vec(), vec![b'x'; 101]].concat();
    let full = vec![b"0123456789".to_vec(); 20].join(&b'\n');
    for (input, cause, offset) in [
        (&b"ok\nSYNC"[..], Cause::Reserved, 3),
        (b"ok\nSYNC x", Cause::Reserved, 3),
        (b"# c\n\n  SYNC\tx", Cause::Reserved, 5),
        (b"# .EXTEND 00", Cause::Reserved, 0),
        (b"# .EXTEND", Cause::Reserved, 0),
        (&long, Cause::TooLong, 3),
        (&full, Cause::Full, 0),
    ] {
        let error = log.append(&mut device, RTMR, input).unwrap_err();
        assert_eq!(error, Failure { cause, record: 0, offset }, "{input:?}");
    }
    assert_eq!(device.extensions, 0);
    assert_eq!(text(&log), "");
    log.append(&mut device, RTMR, b"SYNCED\n# .EXTENDED\nsync x").unwrap();
    assert_eq!(holds(&log, &device), Some(true));
}

// T-14
#[test]
fn room_is_used_to_the_last_byte() {
    // SYNC, its LF, a separator, and a record of three bytes with its LF.
    let size = 4 + 1 + 7 + 64 + 1 + 1 + 4;
    for spare in [0, 1] {
        let mut device = Memory::one(SHA256);
        let mut buffer = vec![0; size - spare];
        let mut log = RecordLog::new(SliceStorage::new(&mut buffer), Limits::DEFAULT);
        let result = log.append(&mut device, RTMR, b"abc");
        assert_eq!(result.is_ok(), spare == 0);
        assert_eq!(device.extensions, if spare == 0 { 2 } else { 0 });
    }
}

// T-25
#[test]
fn powers_are_respected() {
    let banks = Banks::one(Algorithm::Sha256);
    let fixed = Register {
        initial: crate::Initial::Zeros,
        ..Register::fixed("f", crate::Value::Banks(banks))
    };
    let mut device = Memory::new(&[Register::runtime("logged", banks), fixed]);
    let mut buffer = [0; 1024];
    let mut log = RecordLog::new(SliceStorage::new(&mut buffer), Limits::DEFAULT);
    let refused = |kind| Err::<(), _>(Cause::<ErrorKind, NoRoom>::Refused(kind));
    let digest = [Algorithm::Sha256.hash(b"")];
    let cause = |r: core::result::Result<(), Failure>| r.map_err(|e| e.cause);
    assert_eq!(
        cause(log.extend_off_log(&mut device, RTMR, &digest)),
        refused(ErrorKind::NotPermitted)
    );
    for (id, kind) in [(1, ErrorKind::NotPermitted), (2, ErrorKind::NoSuchRegister)] {
        let id = RegisterId(id);
        assert_eq!(cause(log.append(&mut device, id, b"x").map(drop)), refused(kind));
        assert_eq!(cause(log.extend_off_log(&mut device, id, &digest)), refused(kind));
    }
}

/// A failure at any extension, of either sort: records before it stay, and after the next append
/// log and register agree.
// T-15
#[test]
fn a_fault_at_any_call_is_survived() {
    for banks in [SHA256, TWO] {
        for kind in [ErrorKind::Busy, ErrorKind::Failed, ErrorKind::StateUnknown] {
            for at in 0..6 {
                let mut device = Memory::one(banks);
                let mut buffer = [0; 8192];
                let mut log = RecordLog::new(SliceStorage::new(&mut buffer), Limits::DEFAULT);
                device.fault = Some((at, kind));
                let error =
                    log.append(&mut device, RTMR, b"1\n2\n3\n4").map_err(|e| (e.cause, e.record));
                // Extension 0 is the SYNC record's.
                let expected = match at {
                    0 => Err((Cause::Provider(kind), 0)),
                    1..5 => Err((Cause::Provider(kind), at as u32 - 1)),
                    _ => Ok(Appended { records: 4, synced: true }),
                };
                assert_eq!(error, expected);
                device.fault = None;
                if kind != ErrorKind::StateUnknown {
                    assert_eq!(holds(&log, &device), Some(true), "{kind:?} at {at}");
                }
                log.append(&mut device, RTMR, b"after").unwrap();
                let whole = verify(
                    log.storage().as_slice().unwrap(),
                    &zeros(banks),
                    &device.all(RTMR),
                    Limits::DEFAULT,
                    &mut (),
                )
                .unwrap();
                let outcome = whole.outcome();
                assert!(outcome.banks().all(|(_, m)| m == Match::Complete));
                // An extension that took place and was not logged shows, as what it is.
                let hidden = kind == ErrorKind::StateUnknown && at < 5;
                assert_eq!(outcome.holds(), Some(!hidden), "{kind:?} at {at}");
            }
        }
    }
}

// T-16
#[test]
fn a_storage_that_fails_after_the_extension_puts_the_log_out_of_sync() {
    struct Lies<'s>(SliceStorage<'s>, usize);
    impl Storage for Lies<'_> {
        type Error = NoRoom;
        fn len(&self) -> u64 {
            self.0.len()
        }
        fn room(&self) -> u64 {
            self.0.room()
        }
        fn append(&mut self, parts: &[&[u8]]) -> core::result::Result<(), NoRoom> {
            if self.1 == 0 {
                self.1 = usize::MAX;
                return Err(NoRoom);
            }
            self.1 -= 1;
            self.0.append(parts)
        }
        fn read_at(&self, offset: u64, out: &mut [u8]) -> core::result::Result<usize, NoRoom> {
            self.0.read_at(offset, out)
        }
        fn as_slice(&self) -> Option<&[u8]> {
            self.0.as_slice()
        }
    }
    for at in 0..3 {
        let mut device = Memory::one(SHA256);
        let mut buffer = [0; 4096];
        let storage = Lies(SliceStorage::new(&mut buffer), at);
        let mut log = RecordLog::new(storage, Limits::DEFAULT);
        let error = log.append(&mut device, RTMR, b"1\n2").unwrap_err();
        assert_eq!(error.cause, Cause::Storage(NoRoom));
        assert!(!log.in_sync());
        log.append(&mut device, RTMR, b"3").unwrap();
        assert_eq!(holds(&log, &device), Some(false), "the lost line shows");
        log.append(&mut device, RTMR, b"4").unwrap();
        assert!(text(&log).ends_with("\n\n3\n\n4\n"), "one SYNC is enough");
    }
}

// T-10
#[test]
fn open_finds_out_whether_it_is_in_sync() {
    let mut device = Memory::one(SHA256);
    let mut buffer = [0; 4096];
    let mut log = RecordLog::new(SliceStorage::new(&mut buffer), Limits::DEFAULT);
    log.append(&mut device, RTMR, b"a").unwrap();
    let open = |storage, device: &mut Memory| {
        RecordLog::<SliceStorage<'_>>::open(storage, Limits::DEFAULT, device, RTMR, &mut [])
    };
    let mut log = open(log.into_storage(), &mut device).unwrap();
    assert!(log.in_sync());
    log.append(&mut device, RTMR, b"b").unwrap();
    assert!(text(&log).ends_with("\n\na\n\nb\n"));
    // Somebody else extends.
    device.extend(RTMR, &[Algorithm::Sha256.hash(b"?")]).unwrap();
    let mut log = open(log.into_storage(), &mut device).unwrap();
    assert!(!log.in_sync());
    log.append(&mut device, RTMR, b"c").unwrap();
    assert_eq!(holds(&log, &device), Some(false), "an extension without a note shows");
    // Off-log extensions leave it out of sync even though the notes explain the value.
    log.extend_off_log(&mut device, RTMR, &[Algorithm::Sha256.hash(b"!")]).unwrap();
    let log = open(log.into_storage(), &mut device).unwrap();
    assert!(!log.in_sync());
}

#[test]
fn open_refuses_malformed_content() {
    let mut device = Memory::one(SHA256);
    for (content, kind, offset, line) in [
        (&b"a\nb"[..], LogErrorKind::Torn, 2, 2),
        (b"a\n b\n", LogErrorKind::NotCanonical, 2, 2),
        (b"SYNC x\n", LogErrorKind::Captures, 0, 1),
    ] {
        let mut buffer = content.to_vec();
        let storage = SliceStorage::with_content(&mut buffer, content.len()).unwrap();
        let found = RecordLog::open(storage, Limits::DEFAULT, &mut device, RTMR, &mut []);
        assert_eq!(found.err(), Some(OpenError::Log(kind.at(offset, line))));
    }
}

/// A storage that cannot show itself as a slice is read in pieces of any size.
#[test]
fn open_reads_in_pieces() {
    struct Pieces<'s>(SliceStorage<'s>);
    impl Storage for Pieces<'_> {
        type Error = NoRoom;
        fn len(&self) -> u64 {
            self.0.len()
        }
        fn room(&self) -> u64 {
            self.0.room()
        }
        fn append(&mut self, parts: &[&[u8]]) -> core::result::Result<(), NoRoom> {
            self.0.append(parts)
        }
        fn read_at(&self, offset: u64, out: &mut [u8]) -> core::result::Result<usize, NoRoom> {
            self.0.read_at(offset, out)
        }
    }
    let mut device = Memory::one(SHA256);
    let mut buffer = [0; 4096];
    let mut log = RecordLog::new(SliceStorage::new(&mut buffer), Limits::DEFAULT);
    log.append(&mut device, RTMR, b"one\ntwo\nthree").unwrap();
    let len = log.storage().as_bytes().len();
    let mut content = log.storage().as_bytes().to_vec();
    for scratch in 0..300 {
        let storage = Pieces(SliceStorage::with_content(&mut content, len).unwrap());
        let mut scratch = vec![0; scratch];
        let found = RecordLog::open(storage, Limits::DEFAULT, &mut device, RTMR, &mut scratch);
        // The longest line is the SYNC line: 76 bytes, which must fit one half.
        match found {
            Ok(log) => assert!(log.in_sync()),
            Err(e) => {
                assert!(scratch.len() < 2 * 76 && matches!(e, OpenError::Log(_)), "{e}");
            }
        }
    }
}
