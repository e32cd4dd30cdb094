// SPDX-License-Identifier: MIT OR Apache-2.0
//! The monitor at the level of registers, and what the adapter makes of its quirks.

use serde_json::Value;
use tsm_cca::{
    Attestation, CcaProvider, Challenge, Error, ErrorKind, Function, Granule, GuestPhysical,
    HashId, HostCall, MeasurementIndex, Realm, RealmConfig, Registers, RemIndex, RemRule, RemSet,
    RulePolicy, Status, Version,
};
use tsm_core::{Algorithm, Digest, Provider as _};
use tsm_sim::cca::{Attester, Fault, GuestMemory, Monitor, Quirks, RealmState, TOKEN_MAX, Upper};
use tsm_test_support::shared;

const HASHES: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

/// Two granules from 0x10_0000.
struct Memory(Vec<u8>);

const BASE: u64 = 0x10_0000;

impl GuestMemory for Memory {
    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        let start = address.0.checked_sub(BASE).map(|start| start as usize);
        let out = start.and_then(|start| self.0.get_mut(start..)?.get_mut(..bytes.len()));
        out.ok_or(Fault { address })?.copy_from_slice(bytes);
        Ok(())
    }
}

/// A monitor and its realm's memory, full of 0xEE.
struct Guest<A> {
    monitor: Monitor<A>,
    memory: Memory,
}

impl<A: Attester> Guest<A> {
    fn new(monitor: Monitor<A>) -> Self {
        Self { monitor, memory: Memory(vec![0xEE; 8192]) }
    }

    /// X0 to X10 after a call with these in X1 and above; the others are 0x77.
    fn smc(&mut self, function: u64, given: &[u64]) -> [u64; 11] {
        self.try_smc(function, given).unwrap()
    }

    fn try_smc(&mut self, function: u64, given: &[u64]) -> Result<[u64; 11], Fault> {
        let mut registers = Registers { x: [0x77; 11] };
        registers.x[0] = function;
        registers.x[1..][..given.len()].copy_from_slice(given);
        let before = registers;
        let result = self.monitor.execute(&mut registers, &mut self.memory);
        assert!(result.is_ok() || registers == before, "a fault changes nothing");
        result.map(|()| registers.x)
    }
}

/// A token of so many bytes: the challenge, over and over.
#[derive(Debug)]
struct Repeating(usize);

impl Attester for Repeating {
    fn token(&self, _: &RealmState, challenge: &[u8; 64], out: &mut [u8]) -> Option<usize> {
        let out = out.get_mut(..self.0)?;
        out.iter_mut().zip(challenge.iter().cycle()).for_each(|(to, from)| *to = *from);
        Some(self.0)
    }
}

fn realm(hash: Algorithm) -> RealmState {
    RealmState::new(hash).unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    tsm_test_support::unhex(value.as_str().unwrap())
}

fn vectors(path: &str) -> Option<Vec<Value>> {
    let path = shared(path)?;
    let cases: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    Some(cases.as_array().unwrap().clone())
}

fn algorithm(case: &Value) -> Algorithm {
    case["alg"].as_str().unwrap().replace('-', "").parse().unwrap()
}

fn words(bytes: &[u8]) -> Vec<u64> {
    let mut padded = [0; 64];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

/// A REM after extensions by instruction, and, if all data are digests, by the adapter.
fn extended(rule: RemRule, start: &Digest, data: &[Vec<u8>]) -> Digest {
    let hash = start.algorithm();
    let mut state = realm(hash);
    state.set_value(RemIndex::REM2.into(), *start).unwrap();
    let quirks = Quirks { rule, ..Quirks::NONE };
    let mut guest = Guest::new(Monitor::with_realm(state.clone()).with_quirks(quirks));
    let mut adapter = Realm::open(Monitor::with_realm(state).with_quirks(quirks)).unwrap();
    let mut digests = true;
    for data in data {
        let given = [&[3, data.len() as u64][..], &words(data)].concat();
        assert_eq!(guest.smc(0xC400_0193, &given)[0], 0);
        match Digest::from_bytes(hash, data) {
            Some(digest) if digests => adapter.extend(RemIndex::REM2, &digest).unwrap(),
            _ => digests = false,
        }
    }
    let after = guest.smc(0xC400_0192, &[3]);
    let bytes: Vec<u8> = after[1..9].iter().flat_map(|word| word.to_le_bytes()).collect();
    assert!(bytes[hash.size()..].iter().all(|&byte| byte == 0));
    let value = Digest::from_bytes(hash, &bytes[..hash.size()]).unwrap();
    if digests {
        let by_adapter = adapter.measurement(RemIndex::REM2.into(), hash).unwrap();
        assert_eq!(by_adapter, value);
    }
    value
}

/// What kvm-unit-tests expect of a monitor.
#[test]
fn published_vectors() {
    let path = "cca/kvm-unit-tests/rem-extend-kvm-unit-tests.json";
    let Some(cases) = vectors(path) else { return };
    assert_eq!(cases.len(), 26);
    for case in cases {
        let digest = |value| Digest::from_bytes(algorithm(&case), &unhex(value)).unwrap();
        let data: Vec<_> = case["extends"].as_array().unwrap().iter().map(unhex).collect();
        let value = extended(RemRule::Unpadded, &digest(&case["initial"]), &data);
        assert_eq!(value, digest(&case["expected"]), "{case}");
    }
}

/// Both rules, computed by another program.
#[test]
fn computed_vectors() {
    let Some(cases) = vectors("cca/computed/rem-extend-computed.json") else { return };
    assert_eq!(cases.len(), 30);
    for case in cases {
        let hash = algorithm(&case);
        let digest = |value| Digest::from_bytes(hash, &unhex(value)).unwrap();
        let (start, data) = match case.get("chain") {
            Some(chain) => {
                (Digest::zeros(hash), chain.as_array().unwrap().iter().map(unhex).collect())
            }
            None => (digest(&case["old"]), vec![unhex(&case["data"])]),
        };
        assert_eq!(extended(RemRule::Unpadded, &start, &data), digest(&case["tf_rmm"]));
        assert_eq!(extended(RemRule::Padded, &start, &data), digest(&case["rmm_spec_1024bit"]));
    }
}

#[test]
fn statuses() {
    let mut guest = Guest::new(Monitor::new().with_attester(Repeating(100)));
    let before = *guest.monitor.values();
    let protected = (1 << 47) - 4096;
    for (function, given, status) in [
        (0xC400_0191_u64, &[0_u64][..], 0_u64),
        (0xC400_0191, &[u64::MAX], 0),
        (0xC400_0192, &[4], 0),
        (0xC400_0192, &[5], 1),
        (0xC400_0192, &[u64::MAX], 1),
        // The RIM, no such REM, too much.
        (0xC400_0193, &[0, 32], 1),
        (0xC400_0193, &[5, 32], 1),
        (0xC400_0193, &[1 << 32 | 1, 32], 1),
        (0xC400_0193, &[1, 65], 1),
        (0xC400_0193, &[1, u64::MAX], 1),
        // Not aligned, not protected.
        (0xC400_0196, &[BASE + 0x800], 1),
        (0xC400_0196, &[BASE | 1 << 47], 1),
        (0xC400_0196, &[BASE | 1 << 63], 1),
        (0xC400_0196, &[BASE], 0),
        (0xC400_0199, &[BASE + 0x80], 1),
        (0xC400_0199, &[BASE | 1 << 47], 1),
        (0xC400_0199, &[BASE + 0x100], 0),
        // Ranges: empty, reversed, not aligned, beyond; states.
        (0xC400_0198, &[BASE, BASE], 1),
        (0xC400_0198, &[BASE, BASE - 4096], 1),
        (0xC400_0198, &[BASE, BASE + 1], 1),
        (0xC400_0198, &[BASE + 1, BASE + 4096], 1),
        (0xC400_0198, &[protected, 1 << 47], 0),
        (0xC400_0198, &[protected, (1 << 47) + 4096], 1),
        (0xC400_0198, &[0, 0], 1),
        (0xC400_0197, &[BASE, BASE + 4096, 2, 0], 1),
        (0xC400_0197, &[BASE, BASE, 1, 0], 1),
        // No operation.
        (0xC400_0195, &[BASE, 0, 4096], 2),
        // Those of 1.1, and others' numbers.
        (0xC400_019A, &[], u64::MAX),
        (0xC400_01A3, &[], u64::MAX),
        (0x8400_0000, &[], u64::MAX),
        (0, &[], u64::MAX),
        // A hint, and what is above W0, are none of the function's bits.
        (0xC401_0191, &[0], 0),
        (1 << 32 | 0xC400_0191, &[0], 0),
    ] {
        assert_eq!(guest.smc(function, given)[0], status, "{function:#x} {given:x?}");
    }
    assert_eq!(*guest.monitor.values(), before);
    // What is given, and what keeps its value.
    assert_eq!(
        guest.smc(0xC400_0191, &[0]),
        [0, 0, 0, 0, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77]
    );
    assert_eq!(guest.smc(0xC400_0197, &[BASE, BASE + 8192, 1, 0])[..3], [0, BASE + 8192, 0]);
    assert_eq!(guest.smc(0xC400_0197, &[BASE, BASE + 8192, 0, 0])[..3], [0, BASE, 1]);
    assert_eq!(guest.smc(0xC400_0198, &[BASE, BASE + 8192])[..3], [0, BASE + 8192, 1]);
    // A size of 0 is one.
    assert_eq!(guest.smc(0xC400_0193, &[4, 0])[0], 0);
    let zeros = Digest::zeros(Algorithm::Sha256);
    assert_eq!(guest.monitor.values()[4], Algorithm::Sha256.hash(zeros.as_bytes()));
}

/// Only the fields are written.
#[test]
fn memory_that_is_written() {
    for (hash, id) in [(Algorithm::Sha256, 0), (Algorithm::Sha512, 1), (Algorithm::Sha384, 2)] {
        let state = realm(hash).with_ipa_width(33).unwrap().with_personalization([5; 64]);
        let mut guest = Guest::new(Monitor::with_realm(state));
        assert_eq!(guest.smc(0xC400_0196, &[BASE + 4096])[0], 0);
        let mut expected = vec![0xEE; 8192];
        expected[4096..4105].copy_from_slice(&[33, 0, 0, 0, 0, 0, 0, 0, id]);
        expected[4096 + 0x200..][..64].fill(5);
        assert!(guest.memory.0 == expected);
        // Addresses of 33 bits: where the shared half begins.
        assert_eq!(guest.smc(0xC400_0196, &[1 << 32])[0], 1);
        let address = GuestPhysical((1 << 32) - 4096);
        assert_eq!(guest.try_smc(0xC400_0196, &[address.0]), Err(Fault { address }));
    }
    let mut guest = Guest::new(Monitor::new());
    assert_eq!(guest.smc(0xC400_0199, &[BASE])[0], 0);
    assert!(guest.memory.0[..16] == [[0xEE; 8], [0xFF; 8]].concat());
    assert!(guest.memory.0[16..].iter().all(|&byte| byte == 0xEE));
    let mut realm = Realm::open(Monitor::new()).unwrap();
    let mut call = HostCall::new(7);
    realm.host_call(&mut call).unwrap();
    assert_eq!((call.immediate(), call.register(0)), (7, Some(u64::MAX)));
}

/// Every processor has an operation of its own.
#[test]
fn operations() {
    const INIT: u64 = 0xC400_0194;
    const CONTINUE: u64 = 0xC400_0195;
    let mut guest = Guest::new(Monitor::new().with_attester(Repeating(5000)));
    assert_eq!(guest.smc(INIT, &[1; 8])[..2], [0, 8192]);
    guest.monitor.enter(1).unwrap();
    assert_eq!(guest.smc(CONTINUE, &[BASE, 0, 4096])[0], 2);
    assert_eq!(guest.smc(INIT, &[2; 8])[0], 0);
    assert_eq!(guest.smc(CONTINUE, &[BASE, 4000, 96])[..2], [3, 96]);
    assert_eq!(guest.memory.0[4000..4008], [2, 0, 0, 0, 0, 0, 0, 0]);
    assert!(guest.monitor.enter(2).is_none());
    guest.monitor.enter(0).unwrap();
    // What is wrong with a granule or a range.
    for given in [
        [BASE + 1, 0, 4096],
        [BASE | 1 << 47, 0, 4096],
        [BASE, 4096, 0],
        [BASE, 4096, u64::MAX],
        [BASE, 0, 4097],
        [BASE, 1, 4096],
        [BASE, u64::MAX, 2],
        [BASE, 2, u64::MAX],
    ] {
        assert_eq!(guest.smc(CONTINUE, &given)[0], 1, "{given:x?}");
    }
    let nowhere = GuestPhysical(BASE + 8192);
    assert_eq!(guest.try_smc(CONTINUE, &[nowhere.0, 0, 8]), Err(Fault { address: nowhere }));
    assert_eq!(guest.smc(CONTINUE, &[BASE, 0, 0])[..2], [3, 0]);
    assert_eq!(guest.smc(CONTINUE, &[BASE, 0, 4096])[..2], [3, 4096]);
    assert_eq!(guest.smc(CONTINUE, &[BASE, 0, 4096])[..2], [0, 904]);
    assert_eq!(guest.smc(CONTINUE, &[BASE, 0, 4096])[0], 2);
    // Another token puts an end to the first; the other processor's is still there.
    assert_eq!(guest.smc(INIT, &[3; 8])[0], 0);
    assert_eq!(guest.smc(CONTINUE, &[BASE, 0, 3])[..2], [3, 3]);
    assert_eq!(guest.smc(INIT, &[4; 8])[0], 0);
    assert_eq!(guest.smc(CONTINUE, &[BASE, 0, 8])[..2], [3, 8]);
    assert_eq!(guest.memory.0[..8], [4, 0, 0, 0, 0, 0, 0, 0]);
    guest.monitor.enter(1).unwrap();
    assert_eq!(guest.smc(CONTINUE, &[BASE, 0, 4096])[..2], [3, 4096]);
    // With room for nothing, as before 1.0-rel0.
    guest.monitor.quirks_mut().empty_is_success = true;
    assert_eq!(guest.smc(CONTINUE, &[BASE, 0, 0])[..2], [0, 0]);
    assert_eq!(guest.smc(CONTINUE, &[BASE, 0, 4096])[..2], [0, 808]);
    // No attester, no room.
    let mut guest = Guest::new(Monitor::new());
    assert_eq!(guest.smc(INIT, &[1; 8])[0], 4);
    let mut guest = Guest::new(Monitor::new().with_attester(Repeating(TOKEN_MAX + 1)));
    assert_eq!(guest.smc(INIT, &[1; 8])[0], 4);
    assert_eq!(guest.smc(CONTINUE, &[BASE, 0, 1])[0], 2);
}

#[test]
fn revisions() {
    const V2: Version = Version(0x2_0000);
    const OLD: Version = Version(0xD_0000);
    let open = |revisions, offers_highest| {
        let quirks = Quirks { revisions, offers_highest, ..Quirks::NONE };
        let opened = Realm::open(Monitor::new().with_quirks(quirks));
        opened.map(|realm| realm.version()).map_err(|error| error.kind())
    };
    let refused = |lower, higher| {
        Err(ErrorKind::Version(tsm_cca::Versions { lower: Version(lower), higher }))
    };
    for offers_highest in [false, true] {
        assert_eq!(open(&[Version::V1_0, Version::V1_1], offers_highest), Ok(Version::V1_0));
        assert_eq!(open(&[Version::V1_0, V2], offers_highest), Ok(Version::V1_0));
        assert_eq!(open(&[Version::V1_1], offers_highest), Ok(Version::V1_1));
        assert_eq!(open(&[V2], offers_highest), refused(V2.0, V2));
        assert_eq!(open(&[], offers_highest), refused(0, Version(0)));
        assert_eq!(open(&[OLD], offers_highest), refused(OLD.0, OLD));
    }
    let answer = |revisions, offers_highest, requested| {
        let quirks = Quirks { revisions, offers_highest, ..Quirks::NONE };
        let mut guest = Guest::new(Monitor::new().with_quirks(quirks));
        let [x0, x1, x2, ..] = guest.smc(0xC400_0190, &[requested]);
        (x0, x1, x2)
    };
    // The next below, if there is one.
    let both = &[Version::V1_0, Version::V1_1][..];
    assert_eq!(answer(both, false, 0x1_0000), (0, 0x1_0000, 0x1_0001));
    assert_eq!(answer(both, false, 0x2_0000), (1, 0x1_0001, 0x1_0001));
    assert_eq!(answer(both, false, 0xFFFF), (1, 0x1_0001, 0x1_0001));
    assert_eq!(answer(&[Version::V1_0, V2], false, 0x1_0001), (1, 0x1_0000, 0x2_0000));
    assert_eq!(answer(&[Version::V1_0, V2], true, 0x1_0001), (1, 0x2_0000, 0x2_0000));
}

/// Whatever stands beyond a value, the adapter does not take it for a part of it.
#[test]
fn what_stands_beyond_a_value() {
    for hash in HASHES {
        for (upper, expected) in [
            (Upper::Zeros, [0; 8]),
            (Upper::Callers, [0, 0, 0, 0x77, 0x77, 0x77, 0x77, 0]),
            (Upper::Filled(0xAB), [u64::from_le_bytes([0xAB; 8]); 8]),
        ] {
            let quirks = Quirks { upper, ..Quirks::NONE };
            let mut guest = Guest::new(Monitor::with_realm(realm(hash)).with_quirks(quirks));
            let after = guest.smc(0xC400_0192, &[0]);
            assert_eq!(after[1 + hash.size() / 8..9], expected[hash.size() / 8..], "{hash}");
            let mut realm = Realm::open(&mut guest.monitor).unwrap();
            let rim = realm.measurement(MeasurementIndex::RIM, hash).unwrap();
            assert_eq!(rim, hash.hash(b"SIMULATED value of sim:cca/rim"));
        }
    }
}

#[test]
fn hash_that_is_misreported() {
    let quirks = Quirks { misreports_sha384: true, ..Quirks::NONE };
    let mut granule = Granule::new();
    for hash in HASHES {
        let monitor = Monitor::with_realm(realm(hash)).with_quirks(quirks);
        let mut realm = Realm::open(monitor).unwrap();
        let RealmConfig { hash: said, personalization, .. } = realm.config(&mut granule).unwrap();
        let truth = hash != Algorithm::Sha384;
        assert_eq!(said, if truth { HashId::of(hash).unwrap() } else { HashId::SHA512 });
        assert_eq!(personalization, *realm.smc().realm().personalization());
        let registers = CcaProvider::open(realm, &mut granule, RemSet::ALL).unwrap();
        assert_eq!(registers.hash(), hash);
    }
    let quirks = Quirks { hides_personalization: true, ..Quirks::NONE };
    let mut realm = Realm::open(Monitor::new().with_quirks(quirks)).unwrap();
    assert_eq!(realm.config(&mut granule).unwrap().personalization, [0; 64]);
}

#[test]
fn padded_rule() {
    for hash in HASHES {
        let quirks = Quirks { rule: RemRule::Padded, ..Quirks::NONE };
        let monitor = Monitor::with_realm(realm(hash)).with_quirks(quirks);
        let mut granule = Granule::new();
        let realm = Realm::open(monitor.clone()).unwrap();
        let mut registers = CcaProvider::open(realm, &mut granule, RemSet::ALL).unwrap();
        let rem1 = registers.find("rem1").unwrap();
        let mut extend = || registers.extend(rem1, &[hash.hash(b"x")]).map_err(|e| e.kind());
        if RemRule::agree(hash) {
            assert_eq!((extend(), extend()), (Ok(()), Ok(())));
            continue;
        }
        let padded = RemRule::Padded;
        assert_eq!(extend(), Err(ErrorKind::RuleObserved(padded)));
        let calls = registers.realm_mut().smc().calls();
        let refused = registers.extend(rem1, &[hash.hash(b"x")]).map_err(|e| e.kind());
        assert_eq!(refused, Err(ErrorKind::RuleRefused(padded)));
        assert_eq!(registers.realm_mut().smc().calls(), calls);
        // Who wants it has it.
        let realm = Realm::open(monitor).unwrap();
        let registers = CcaProvider::open(realm, &mut granule, RemSet::ALL).unwrap();
        let mut registers = registers.with_policy(RulePolicy::Observed);
        registers.extend(rem1, &[hash.hash(b"x")]).unwrap();
        assert_eq!(registers.rule(), Some(padded));
    }
}

fn token<A: Attester>(monitor: Monitor<A>) -> Result<Vec<u8>, Error> {
    let (mut granule, mut out) = (Granule::new(), vec![0; 10_000]);
    let mut realm = Realm::open(monitor)?;
    let size = realm.token(&Challenge::new(*CHALLENGE), &mut granule, &mut out)?;
    out.truncate(size);
    Ok(out)
}

const CHALLENGE: &[u8; 64] = b"a challenge of sixty-four bytes, which is as much as one can be.";

/// However slowly it comes, the token is the same.
#[test]
fn slow_progress() {
    for size in [1, 63, 4095, 4096, 4097, TOKEN_MAX] {
        let expected: Vec<u8> = CHALLENGE.iter().copied().cycle().take(size).collect();
        for chunk in [1, 7, 500, 4096, usize::MAX] {
            for idle in [0, 1, 1000] {
                let quirks = Quirks { chunk, idle, ..Quirks::NONE };
                let monitor = Monitor::new().with_quirks(quirks).with_attester(Repeating(size));
                assert!(token(monitor).unwrap() == expected, "{size} {chunk} {idle}");
            }
        }
    }
}

#[test]
fn hostile_progress() {
    let with = |quirks| {
        let monitor = Monitor::new().with_attester(Repeating(5000)).with_quirks(quirks);
        token(monitor).map(drop).map_err(|error| (error.kind(), error.function()))
    };
    let none = Quirks::NONE;
    let resuming = Some(Function::ATTESTATION_TOKEN_CONTINUE);
    assert_eq!(with(none), Ok(()));
    // Never, or later than anybody waits.
    assert_eq!(with(Quirks { chunk: 0, ..none }), Err((ErrorKind::Stalled, resuming)));
    let patience = Attestation::<Monitor>::PATIENCE;
    assert_eq!(with(Quirks { idle: patience, ..none }), Ok(()));
    assert_eq!(with(Quirks { idle: patience + 1, ..none }), Err((ErrorKind::Stalled, resuming)));
    let overrun = ErrorKind::Overrun(4097);
    assert_eq!(with(Quirks { overclaims: true, ..none }), Err((overrun, resuming)));
    for status in [Status::ERROR_INPUT, Status::ERROR_UNKNOWN, Status(77)] {
        let failed = |function| Err((ErrorKind::Monitor(status), Some(function)));
        assert_eq!(
            with(Quirks { init_fails: Some(status), ..none }),
            failed(Function::ATTESTATION_TOKEN_INIT)
        );
        assert_eq!(
            with(Quirks { continue_fails: Some(status), ..none }),
            failed(Function::ATTESTATION_TOKEN_CONTINUE)
        );
    }
    let without = token(Monitor::new()).map_err(|error| error.kind());
    assert_eq!(without, Err(ErrorKind::Monitor(Status::ERROR_UNKNOWN)));
    let empty = token(Monitor::new().with_attester(Repeating(0))).map_err(|error| error.kind());
    assert_eq!(empty, Err(ErrorKind::EmptyToken));
}

/// A call in the middle from another processor: the adapter says what the monitor said.
#[test]
fn the_wrong_processor() {
    let mut granule = Granule::new();
    let mut monitor = Monitor::new().with_attester(Repeating(5000));
    {
        let mut realm = Realm::open(&mut monitor).unwrap();
        let mut attestation = realm.attest(&Challenge::new(*CHALLENGE)).unwrap();
        assert_eq!(attestation.upper_bound(), 8192);
        assert_eq!(attestation.next(&mut granule).unwrap().unwrap().len(), 4096);
    }
    monitor.enter(1).unwrap();
    let mut guest = Guest::new(monitor);
    assert_eq!(guest.smc(0xC400_0195, &[BASE, 0, 4096])[0], Status::ERROR_STATE.0);
    guest.monitor.enter(0).unwrap();
    assert_eq!(guest.smc(0xC400_0195, &[BASE, 0, 4096])[..2], [0, 904]);
}
