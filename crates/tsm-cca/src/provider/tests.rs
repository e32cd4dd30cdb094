// SPDX-License-Identifier: MIT OR Apache-2.0
//! The provider on a monitor that behaves, and on some that do not.

use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::replay::verify;
use tsm_sim::contract::check_contract;

use super::*;
use crate::buffer::HostCall;
use crate::call::{Call, Registers};
use crate::function::Function;
use crate::status::Status;
use crate::testing::{Monitor, answer, status};

const HASHES: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

fn open(monitor: Monitor, granule: &mut Granule) -> CcaProvider<'_, Monitor> {
    CcaProvider::open(Realm::open(monitor).unwrap(), granule, RemSet::ALL).unwrap()
}

fn rem(index: RemIndex) -> RegisterId {
    CcaProvider::<Monitor>::rem(index)
}

fn padded(hash: Algorithm) -> Monitor {
    let mut monitor = Monitor::new(hash);
    monitor.rule = RemRule::Padded;
    monitor
}

#[test]
fn the_contract() {
    for hash in HASHES {
        for stale in [0, 0xEE] {
            for extendable in [RemSet::NONE, RemSet::APPLICATION, RemSet::SYSTEM, RemSet::ALL] {
                let mut monitor = Monitor::new(hash);
                monitor.stale = stale;
                monitor.token = vec![7; 5000];
                monitor.chunks = vec![0, 100, 4096];
                let mut granule = Granule::new();
                let realm = Realm::open(monitor).unwrap();
                let mut provider = CcaProvider::open(realm, &mut granule, extendable).unwrap();
                check_contract(&mut provider);
                for index in RemIndex::ALL {
                    let register = provider.describe(rem(index)).unwrap();
                    assert_eq!(register.name, index.to_string());
                    let extends = register.powers.contains(Powers::EXTEND);
                    assert_eq!(extends, extendable.contains(index));
                    assert_eq!(register.banks().single(), Some(hash));
                    let starts = register.initial.value(hash).unwrap();
                    assert!(starts.is_zeros());
                }
            }
        }
    }
}

/// The names of the simulator's platform, and values where they belong.
#[test]
fn registers() {
    let mut granule = Granule::new();
    let mut provider = open(Monitor::new(Algorithm::Sha256), &mut granule);
    let simulated = tsm_sim::Simulated::by_name("cca").unwrap();
    let names = |provider: &dyn Fn(RegisterId) -> Option<String>| {
        (0..10).map(RegisterId).map_while(provider).collect::<Vec<_>>()
    };
    let ours = names(&|id| Some(provider.describe(id)?.name.to_owned()));
    assert_eq!(ours, names(&|id| Some(simulated.describe(id)?.name.to_owned())));
    assert_eq!(ours, ["rim", "rem0", "rem1", "rem2", "rem3", "rpv"]);
    let rim = provider.value(RegisterId(0), Algorithm::Sha256).unwrap();
    assert_eq!(rim, Algorithm::Sha256.hash(b"an image"));
    let mut rpv = [0; 64];
    provider.read(RegisterId(5), None, &mut rpv).unwrap();
    assert_eq!(rpv, [0x5A; 64]);
}

#[test]
fn sha384_that_is_called_sha512() {
    let reported = |hash: Algorithm, rim: Digest| {
        let mut monitor = Monitor::new(hash);
        monitor.reported = HashId::SHA512;
        monitor.values[0] = rim;
        let mut granule = Granule::new();
        open(monitor, &mut granule).hash()
    };
    for hash in [Algorithm::Sha384, Algorithm::Sha512] {
        assert_eq!(reported(hash, hash.hash(b"an image")), hash);
    }
    // Nothing can be told.
    assert_eq!(reported(Algorithm::Sha384, Digest::zeros(Algorithm::Sha384)), Algorithm::Sha512);

    // Then the first extension shows it, and the caller may know better.
    let monitor = || {
        let mut monitor = Monitor::new(Algorithm::Sha384);
        monitor.reported = HashId::SHA512;
        monitor.values[0] = Digest::zeros(Algorithm::Sha384);
        monitor
    };
    let (mut granule, rem0) = (Granule::new(), rem(RemIndex::REM0));
    let mut provider = open(monitor(), &mut granule);
    let error = provider.extend(rem0, &[Algorithm::Sha512.hash(b"")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RuleUnknown);
    assert_eq!(tsm_core::provider::Error::kind(&error), Refusal::StateUnknown);
    let mut provider = open(monitor(), &mut granule).with_hash(Algorithm::Sha384).unwrap();
    assert_eq!(provider.extend(rem0, &[Algorithm::Sha384.hash(b"")]), Ok(()));
    let refused = open(monitor(), &mut granule).with_hash(Algorithm::Sha1).map(drop).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused(Refusal::NoSuchBank));
}

#[test]
fn an_unknown_hash() {
    let mut monitor = Monitor::new(Algorithm::Sha256);
    monitor.reported = HashId(3);
    let (mut granule, realm) = (Granule::new(), Realm::open(monitor).unwrap());
    let error = CcaProvider::open(realm, &mut granule, RemSet::ALL).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Hash(HashId(3)));
}

/// The self-check: once, and refusing for good what is not permitted.
#[test]
fn another_rule() {
    for hash in [Algorithm::Sha256, Algorithm::Sha384] {
        let (mut granule, digest) = (Granule::new(), [hash.hash(b"event")]);
        let mut provider = open(padded(hash), &mut granule);
        assert_eq!(provider.rule(), None);
        let error = provider.extend(rem(RemIndex::REM3), &digest).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RuleObserved(RemRule::Padded));
        assert_eq!(tsm_core::provider::Error::kind(&error), Refusal::StateUnknown);
        assert_eq!(provider.rule(), Some(RemRule::Padded));
        for index in RemIndex::ALL {
            let error = provider.extend(rem(index), &digest).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::RuleRefused(RemRule::Padded));
            assert_eq!(tsm_core::provider::Error::kind(&error), Refusal::Failed);
        }
        let calls = provider.realm_mut().smc().count(Function::MEASUREMENT_EXTEND);
        assert_eq!(calls, 1, "refused before the call");

        // Asked for, it is fine.
        for policy in [RulePolicy::Observed, RulePolicy::Only(RemRule::Padded)] {
            let mut provider = open(padded(hash), &mut granule).with_policy(policy);
            let mut expected = Digest::zeros(hash);
            for _ in 0..3 {
                assert_eq!(provider.extend(rem(RemIndex::REM3), &digest), Ok(()));
                let [digest] = &digest;
                expected = RemRule::Padded.extended(&expected, digest.as_bytes()).unwrap();
                assert_eq!(provider.value(rem(RemIndex::REM3), hash), Ok(expected));
            }
        }
        // And the usual rule is not what was asked for then.
        let policy = RulePolicy::Only(RemRule::Padded);
        let mut provider = open(Monitor::new(hash), &mut granule).with_policy(policy);
        let error = provider.extend(rem(RemIndex::REM3), &digest).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RuleObserved(RemRule::Unpadded));
    }
}

#[test]
fn with_sha512_the_rules_agree() {
    for followed in [RemRule::Padded, RemRule::Unpadded] {
        for policy in [RemRule::Padded, RemRule::Unpadded].map(RulePolicy::Only) {
            let mut monitor = Monitor::new(Algorithm::Sha512);
            monitor.rule = followed;
            let mut granule = Granule::new();
            let mut provider = open(monitor, &mut granule).with_policy(policy);
            let digest = [Algorithm::Sha512.hash(b"")];
            assert_eq!(provider.extend(rem(RemIndex::REM0), &digest), Ok(()));
            assert_eq!(provider.extend(rem(RemIndex::REM0), &digest), Ok(()));
            assert_eq!(provider.rule(), Some(RemRule::Unpadded));
        }
    }
}

#[test]
fn the_check_is_made_once() {
    let mut granule = Granule::new();
    let mut provider = open(Monitor::new(Algorithm::Sha256), &mut granule);
    let reads = |provider: &mut CcaProvider<'_, Monitor>| {
        provider.realm_mut().smc().count(Function::MEASUREMENT_READ)
    };
    let before = reads(&mut provider);
    for index in RemIndex::ALL {
        provider.extend(rem(index), &[Algorithm::Sha256.hash(b"")]).unwrap();
    }
    assert_eq!(reads(&mut provider), before + 2);
    assert_eq!(provider.rule(), Some(RemRule::Unpadded));
}

/// A failure before the extension is one without an effect, and the next one is checked again.
#[test]
fn the_check_is_made_again() {
    let mut calls = 0;
    let monitor = Monitor::new(Algorithm::Sha256).hooked(move |call| {
        calls += usize::from(call.function() == Function::MEASUREMENT_READ);
        let fails = call.function() == Function::MEASUREMENT_READ && calls == 1;
        fails.then(|| status(Status::ERROR_INPUT))
    });
    let mut granule = Granule::new();
    let mut provider = open(monitor, &mut granule);
    let digest = [Algorithm::Sha256.hash(b"")];
    let error = provider.extend(rem(RemIndex::REM1), &digest).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Monitor(Status::ERROR_INPUT));
    assert_eq!(provider.realm_mut().smc().count(Function::MEASUREMENT_EXTEND), 0);
    assert_eq!(provider.extend(rem(RemIndex::REM1), &digest), Ok(()));
    assert_eq!(provider.rule(), Some(RemRule::Unpadded));
}

/// A monitor that once says something unheard of about an extension, made or not.
struct Doubtful {
    monitor: Monitor,
    /// Extensions before that.
    left: u32,
    made: bool,
}

impl Smc for Doubtful {
    fn call(&mut self, call: Call<'_>) -> Result<Registers, Error> {
        let extends = call.function() == Function::MEASUREMENT_EXTEND;
        if extends && self.left == 0 {
            self.left = u32::MAX;
            if self.made {
                self.monitor.call(call)?;
            }
            return Ok(status(Status(0x77)));
        }
        self.left -= u32::from(extends);
        self.monitor.call(call)
    }
}

/// Whether an extension in doubt took place or not, no one is made twice, and the log explains the
/// register when it has captured it. The first extension is one that is checked.
#[test]
fn a_log_goes_on_after_doubt() {
    for hash in HASHES {
        for (left, made) in [(0, false), (0, true), (1, false), (1, true), (2, false), (2, true)] {
            let monitor = Doubtful { monitor: Monitor::new(hash), left, made };
            let (mut granule, realm) = (Granule::new(), Realm::open(monitor).unwrap());
            let mut provider = CcaProvider::open(realm, &mut granule, RemSet::ALL).unwrap();
            let (rem3, mut page) = (rem(RemIndex::REM3), [0; 4096]);
            let mut log = RecordLog::new(SliceStorage::new(&mut page), Limits::DEFAULT);
            let failed = (0..3).filter(|_| log.append(&mut provider, rem3, b"event").is_err());
            assert_eq!(failed.count(), 1, "{hash} {left} {made}");
            let calls = provider.realm_mut().smc().monitor.count(Function::MEASUREMENT_EXTEND);
            // A capture at the beginning and one after the doubt, which fails itself if `left` is 0.
            assert_eq!(calls, if left == 0 { 3 } else { 4 } + usize::from(made), "{left} {made}");
            let value = provider.value(rem3, hash).unwrap();
            let log = log.storage().as_bytes();
            let start = [Digest::zeros(hash)];
            let verified = verify(log, &start, &[value], Limits::DEFAULT, &mut ()).unwrap();
            // One that was made is a gap that nothing explains.
            assert_eq!(verified.holds(), Some(!made), "{left} {made}");
            assert_eq!(verified.trusted().last().unwrap().bytes(), b"event");
        }
    }
}

/// What the host makes of a structure is in that structure, and nowhere else.
#[test]
fn hosts_change_nothing_else() {
    let monitor = Monitor::new(Algorithm::Sha256).hooked(|call| {
        (call.function() == Function::HOST_CALL).then(|| {
            call.written().unwrap().fill(0xEE);
            answer(0, &[u64::MAX; 10])
        })
    });
    let mut granule = Granule::new();
    let mut provider = open(monitor, &mut granule);
    provider.extend(rem(RemIndex::REM3), &[Algorithm::Sha256.hash(b"event")]).unwrap();
    let said = |provider: &mut CcaProvider<'_, Monitor>| {
        let mut personalization = [0; 64];
        let rpv = provider.find("rpv").unwrap();
        provider.read(rpv, None, &mut personalization).unwrap();
        let hash = provider.hash();
        let value = provider.value(rem(RemIndex::REM3), hash).unwrap();
        (hash, provider.rule(), provider.realm_mut().version(), personalization, value)
    };
    let before = said(&mut provider);
    let mut structure = HostCall::new(1);
    provider.realm_mut().host_call(&mut structure).unwrap();
    assert_eq!(structure.as_bytes(), &[0xEE; HostCall::SIZE]);
    assert_eq!(said(&mut provider), before);
}

#[test]
fn tokens() {
    let mut monitor = Monitor::new(Algorithm::Sha256);
    monitor.token = vec![9; 4096];
    let mut granule = Granule::new();
    let mut provider = open(monitor, &mut granule);
    let reporter = provider.as_reporter().unwrap();
    assert_eq!((reporter.user_data_size(), reporter.report_size()), (64, 16384));
    let mut out = [0; 5000];
    assert_eq!(reporter.report(b"nonce", &mut out), Ok(4160));
    assert_eq!(out[..64], *Challenge::padded(b"nonce").unwrap().as_bytes());
    assert!(out[64..4160].iter().all(|&byte| byte == 9) && out[4160..] == [0; 840]);
    let too_long = reporter.report(&[0; 65], &mut out).unwrap_err();
    assert_eq!(too_long.kind(), ErrorKind::Refused(Refusal::WrongSize));
    // The limit holds whatever room there is.
    let mut provider = provider.with_token_limit(4159);
    let error = provider.report(b"nonce", &mut out).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoRoom);
}
