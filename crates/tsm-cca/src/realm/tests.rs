// SPDX-License-Identifier: MIT OR Apache-2.0
//! The realm on a monitor that behaves, and on some that do not.

use core::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::config::HashId;
use crate::function::Function;
use crate::testing::{Monitor, answer, status};

const HASHES: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

fn realm(monitor: Monitor) -> Realm<Monitor> {
    Realm::open(monitor).unwrap()
}

fn challenge() -> Challenge {
    Challenge::padded(b"nonce").unwrap()
}

#[test]
fn revisions() {
    let open = |versions| {
        let mut monitor = Monitor::new(Algorithm::Sha256);
        monitor.versions = versions;
        Realm::open(monitor).map(|realm| realm.version()).map_err(|error| error.kind())
    };
    assert_eq!(open((0x1_0000, 0x1_0001)), Ok(Version::V1_0));
    assert_eq!(open((0x1_0000, 0x1_0000)), Ok(Version::V1_0));
    // One that has dropped 1.0.
    assert_eq!(open((0x1_0001, 0x1_0002)), Ok(Version(0x1_0002)));
    let only = |version| Versions { lower: version, higher: version };
    assert_eq!(open((0x2_0000, 0x2_0000)), Err(ErrorKind::Version(only(Version(0x2_0000)))));
    assert_eq!(open((0, 1)), Err(ErrorKind::Version(only(Version(1)))));
}

#[test]
fn not_a_realm() {
    let with = |code| {
        let monitor = Monitor::new(Algorithm::Sha256).hooked(move |_| Some(status(code)));
        Realm::open(monitor).map(drop).unwrap_err()
    };
    let error = with(Status::NOT_SUPPORTED);
    assert_eq!((error.kind(), error.function()), (ErrorKind::NotARealm, Some(Function::VERSION)));
    assert_eq!(with(Status(0x99)).kind(), ErrorKind::Monitor(Status(0x99)));
    // Always refused, whatever is asked for.
    let fickle = Monitor::new(Algorithm::Sha256).hooked(|_| Some(answer(1, &[0x1_0000, 0x1_0001])));
    let kind = Realm::open(fickle).map(drop).unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::Version(_)));
}

/// A whole session as the monitor sees it: no call more, no register that is not as it should be.
#[test]
fn registers_of_a_session() {
    let mut monitor = Monitor::new(Algorithm::Sha256);
    monitor.token = vec![1; 4096];
    monitor.chunks = vec![4000, 0];
    let (mut realm, mut granule) = (realm(monitor), Granule::new());
    let digest = Digest::from_bytes(Algorithm::Sha256, &[0x11; 32]).unwrap();
    realm.config(&mut granule).unwrap();
    realm.features(1).unwrap();
    realm.extend_checked(RemIndex::REM3, &digest, &mut granule).unwrap();
    realm.extend(RemIndex::REM0, &digest).unwrap();
    realm.measurement(MeasurementIndex::RIM, Algorithm::Sha256).unwrap();
    realm.host_call(&mut HostCall::new(1)).unwrap();
    let nonce = Challenge::new([0x22; 64]);
    assert_eq!(realm.token(&nonce, &mut granule, &mut [0; 5000]), Ok(4160));
    const ONES: u64 = 0x1111_1111_1111_1111;
    const TWOS: u64 = 0x2222_2222_2222_2222;
    let expected: &[&[u64]] = &[
        &[0xC400_0190, 0x1_0000],
        &[0xC400_0196],
        &[0xC400_0191, 1],
        &[0xC400_0192, 4],
        &[0xC400_0193, 4, 32, ONES, ONES, ONES, ONES],
        &[0xC400_0192, 4],
        &[0xC400_0193, 1, 32, ONES, ONES, ONES, ONES],
        &[0xC400_0192, 0],
        &[0xC400_0199],
        &[0xC400_0194, TWOS, TWOS, TWOS, TWOS, TWOS, TWOS, TWOS, TWOS],
        // 4000 bytes, none, 96 that fill the granule, none, and the last 64 in the next granule.
        &[0xC400_0195, 0, 0, 4096],
        &[0xC400_0195, 0, 4000, 96],
        &[0xC400_0195, 0, 4000, 96],
        &[0xC400_0195, 0, 0, 4096],
        &[0xC400_0195, 0, 0, 4096],
    ];
    let seen: Vec<[u64; 11]> = realm.smc().calls.iter().map(|call| call.x).collect();
    let padded = |registers: &&[u64]| {
        let mut all = [0; 11];
        all[..registers.len()].copy_from_slice(registers);
        all
    };
    assert_eq!(seen, expected.iter().map(padded).collect::<Vec<_>>());
}

#[test]
fn features_and_host_calls() {
    let mut realm = realm(Monitor::new(Algorithm::Sha256));
    assert_eq!((realm.features(0), realm.features(1)), (Ok(5), Ok(0)));
    let mut call = HostCall::new(0x11);
    realm.host_call(&mut call).unwrap();
    assert_eq!((call.immediate(), call.register(30)), (0x11, Some(0xCCCC_CCCC_CCCC_CCCC)));
}

#[test]
fn configuration() {
    let mut granule = Granule::new();
    granule.as_bytes_mut().fill(0xEE);
    let mut realm = realm(Monitor::new(Algorithm::Sha384));
    let config = realm.config(&mut granule).unwrap();
    assert_eq!((config.ipa_width, config.hash), (48, HashId::SHA384));
    // What the monitor did not write is zero, not what stood there.
    assert_eq!((config.auxiliary_planes, config.gicv3_vtr, config.ats_plane), (0, 0, 0));
    assert_eq!(config.personalization, [0x5A; 64]);
    realm.smc_mut().ipa_width = 0;
    let error = realm.config(&mut granule).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::IpaWidth, Some(0)));
}

/// Once the address width is known, calls say so.
#[test]
fn shared_buffers_are_refused() {
    let at = Rc::new(Cell::new(0x1000));
    let place = at.clone();
    let monitor = Monitor::new(Algorithm::Sha256).hooked(move |call| {
        let resolved = call.resolve(|_, _| Some(crate::GuestPhysical(place.get())));
        resolved
            .err()
            .map(|error| answer(0x7700 + u64::from(error.kind() == ErrorKind::Shared), &[]))
    });
    let (mut realm, mut granule) = (realm(monitor), Granule::new());
    at.set(1 << 47);
    assert!(realm.config(&mut granule).is_ok());
    let error = realm.config(&mut granule).unwrap_err();
    assert_eq!(error.status(), Some(Status(0x7701)));
    at.set((1 << 47) - 0x1000);
    assert!(realm.config(&mut granule).is_ok());
}

#[test]
fn measurements() {
    for hash in HASHES {
        for stale in [0, 0xEE] {
            let mut monitor = Monitor::new(hash);
            monitor.stale = stale;
            let mut realm = realm(monitor);
            let rim = realm.measurement(MeasurementIndex::RIM, hash);
            assert_eq!(rim, Ok(hash.hash(b"an image")));
            let mut expected = Digest::zeros(hash);
            for event in [b"a", b"b"] {
                realm.extend(RemIndex::REM2, &hash.hash(event)).unwrap();
                expected.extend(&hash.hash(event)).unwrap();
            }
            let read = realm.measurement(RemIndex::REM2.into(), hash);
            assert_eq!(read, Ok(expected), "{hash} {stale}");
            let other = realm.measurement(RemIndex::REM3.into(), hash);
            assert_eq!(other, Ok(Digest::zeros(hash)));
        }
    }
}

#[test]
fn statuses_of_extend() {
    let with = |code| {
        let hook = move |call: &mut Call<'_>| {
            (call.function() == Function::MEASUREMENT_EXTEND).then(|| status(code))
        };
        let mut realm = realm(Monitor::new(Algorithm::Sha256).hooked(hook));
        realm.extend(RemIndex::REM0, &Algorithm::Sha256.hash(b"")).unwrap_err().kind()
    };
    for code in [Status::ERROR_INPUT, Status::NOT_SUPPORTED] {
        assert_eq!(with(code), ErrorKind::Monitor(code));
    }
    let others = [Status::ERROR_STATE, Status::INCOMPLETE, Status::ERROR_UNKNOWN, Status(0xABCD)];
    for code in others {
        assert_eq!(with(code), ErrorKind::InDoubt(code));
    }
}

#[test]
fn rules_are_found_out() {
    for hash in HASHES {
        for rule in [RemRule::Unpadded, RemRule::Padded] {
            let mut monitor = Monitor::new(hash);
            monitor.rule = rule;
            let (mut realm, mut granule) = (realm(monitor), Granule::new());
            granule.as_bytes_mut().fill(0xEE);
            let expected = if RemRule::agree(hash) { RemRule::Unpadded } else { rule };
            for event in 0..3 {
                let found =
                    realm.extend_checked(RemIndex::REM1, &hash.hash(&[event]), &mut granule);
                assert_eq!(found, Ok(expected), "{hash} {rule}");
            }
        }
    }
}

#[test]
fn no_rule_is_found() {
    // Somebody else extends in between; the value cannot be read behind the extension.
    let reads = |answer_second: fn() -> Registers| {
        let mut reads = 0;
        Monitor::new(Algorithm::Sha256).hooked(move |call: &mut Call<'_>| {
            reads += usize::from(call.function() == Function::MEASUREMENT_READ);
            (call.function() == Function::MEASUREMENT_READ && reads == 2).then(answer_second)
        })
    };
    let kind = |monitor| {
        let digest = Algorithm::Sha256.hash(b"");
        realm(monitor)
            .extend_checked(RemIndex::REM0, &digest, &mut Granule::new())
            .unwrap_err()
            .kind()
    };
    assert_eq!(kind(reads(|| answer(0, &[7; 8]))), ErrorKind::RuleUnknown);
    let failed = ErrorKind::InDoubt(Status::ERROR_UNKNOWN);
    assert_eq!(kind(reads(|| status(Status::ERROR_UNKNOWN))), failed);
}

#[test]
fn tokens_of_all_sizes() {
    let mut granule = Granule::new();
    for size in [0, 1, 4031, 4032, 4033, 8128, 9000] {
        for chunks in [vec![4096], vec![1000], vec![0, 1, 0, 4095, 77], vec![0, 0, 4096]] {
            let mut monitor = Monitor::new(Algorithm::Sha256);
            monitor.token = (0..size).map(|i| i as u8).collect();
            monitor.chunks = chunks.clone();
            let expected = [challenge().as_bytes(), &monitor.token[..]].concat();
            let mut out = vec![0; expected.len()];
            let made = realm(monitor).token(&challenge(), &mut granule, &mut out);
            assert_eq!(made, Ok(expected.len()), "{size} {chunks:?}");
            assert_eq!(out, expected, "{size} {chunks:?}");
        }
    }
}

#[test]
fn a_token_needs_room() {
    let mut monitor = Monitor::new(Algorithm::Sha256);
    monitor.token = vec![1; 5000];
    let mut realm = realm(monitor);
    let mut granule = Granule::new();
    for room in [0, 1, 4095, 4096, 5063] {
        let made = realm.token(&challenge(), &mut granule, &mut vec![0; room]);
        assert_eq!(made.unwrap_err().kind(), ErrorKind::NoRoom, "{room}");
    }
    assert_eq!(realm.token(&challenge(), &mut granule, &mut [0; 5064]), Ok(5064));
    let mut pieces = realm.attest(&challenge()).unwrap();
    assert_eq!(pieces.upper_bound(), 5064);
    let mut sizes = Vec::new();
    while let Some(piece) = pieces.next(&mut granule).unwrap() {
        sizes.push(piece.len());
    }
    assert_eq!(sizes, [4096, 968]);
    assert_eq!(pieces.next(&mut granule), Ok(None), "and it stays so");
}

fn resuming(with: Registers) -> Monitor {
    Monitor::new(Algorithm::Sha256).hooked(move |call| {
        (call.function() == Function::ATTESTATION_TOKEN_CONTINUE).then_some(with)
    })
}

fn failure(monitor: Monitor) -> (ErrorKind, usize) {
    let (mut granule, mut realm) = (Granule::new(), realm(monitor));
    let made = realm.token(&challenge(), &mut granule, &mut [0; 16384]);
    let error = made.unwrap_err();
    (error.kind(), realm.smc().count(Function::ATTESTATION_TOKEN_CONTINUE))
}

#[test]
fn hostile_tokens() {
    // No progress for ever.
    let (kind, calls) = failure(resuming(answer(3, &[0])));
    assert_eq!((kind, calls), (ErrorKind::Stalled, 100_001));
    // More than there is room for, in whatever status.
    for written in [4097, 1 << 32, u64::MAX] {
        for code in [0, 3] {
            let (kind, calls) = failure(resuming(answer(code, &[written])));
            assert_eq!((kind, calls), (ErrorKind::Overrun(written), 1));
        }
    }
    // A success with nothing.
    assert_eq!(failure(resuming(answer(0, &[0]))), (ErrorKind::EmptyToken, 1));
    // No end: what fits is the limit, whatever the upper bound was.
    let (kind, calls) = failure(resuming(answer(3, &[1])));
    assert_eq!((kind, calls), (ErrorKind::NoRoom, 4096 * 5));
    // X1 has no meaning with an error.
    let errors = [
        Status::ERROR_STATE,
        Status::ERROR_INPUT,
        Status::ERROR_UNKNOWN,
        Status::NOT_SUPPORTED,
        Status(0xABCD),
    ];
    for code in errors {
        assert_eq!(failure(resuming(status(code))), (ErrorKind::Monitor(code), 1));
    }
}

#[test]
fn statuses_of_init() {
    for code in [Status::ERROR_UNKNOWN, Status::INCOMPLETE, Status(0xABCD)] {
        let monitor = Monitor::new(Algorithm::Sha256).hooked(move |call| {
            (call.function() == Function::ATTESTATION_TOKEN_INIT).then(|| status(code))
        });
        assert_eq!(failure(monitor), (ErrorKind::Monitor(code), 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever a monitor answers: no panic, an end, and a token only of bytes that it claimed.
    #[test]
    fn any_answers(
        answers in prop::collection::vec(
            (prop_oneof![Just(0), Just(3), Just(3), Just(3), 0_u64..6, any::<u64>()],
             prop_oneof![Just(0), 0_u64..5000, any::<u64>()]),
            1..40,
        ),
        bound: u64,
        room in 0_usize..20_000,
    ) {
        let script = answers.clone();
        let mut turn = 0;
        let monitor = Monitor::new(Algorithm::Sha256).hooked(move |call| match call.function() {
            Function::ATTESTATION_TOKEN_INIT => Some(answer(0, &[bound])),
            Function::ATTESTATION_TOKEN_CONTINUE => {
                let registers = call.registers().x;
                assert_eq!(registers[2] + registers[3], 4096);
                // Behind the script, for ever the last one.
                let (status, written) = script[turn.min(script.len() - 1)];
                turn += 1;
                Some(answer(status, &[written]))
            }
            _ => None,
        });
        let (mut granule, mut realm) = (Granule::new(), realm(monitor));
        let mut out = vec![0; room];
        let made = realm.token(&challenge(), &mut granule, &mut out);
        let calls = realm.smc().count(Function::ATTESTATION_TOKEN_CONTINUE);
        // Each call that is not idle writes a byte at least; the idle ones are bounded.
        prop_assert!(calls <= room + 4096 + 100_001);
        if let Ok(size) = made {
            let done = answers.iter().position(|(status, _)| *status == 0).unwrap();
            let claimed: u64 = answers[..=done].iter().map(|(_, written)| *written).sum();
            prop_assert_eq!(size as u64, claimed);
            prop_assert!(size <= room);
        }
    }
}
