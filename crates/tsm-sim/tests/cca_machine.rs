// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine: adapter and monitor in one.

use tsm_cca::token::{Form, PlatformProfile, RealmProfile, Rules, Token};
use tsm_cca::{RemIndex, RemRule, Version};
use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::provider::{Recorder as _, Reporter as _};
use tsm_core::replay::verify;
use tsm_core::{Algorithm, Banks, Digest, Logged, Provider as _};
use tsm_sim::cca::{CcaMachine, Monitor, Platform, Quirks, RealmState, TOKEN_MAX, Upper};
use tsm_sim::{Simulated, contract, platform};

const HASHES: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

fn machine(hash: Algorithm, quirks: Quirks) -> CcaMachine {
    let monitor = Monitor::with_realm(RealmState::new(hash).unwrap()).with_quirks(quirks);
    CcaMachine::with_monitor(monitor.with_attester(Platform::new("machine")))
}

/// Also with all that monitors may do without breaking it.
#[test]
fn keeps_the_contract() {
    let odd = Quirks {
        upper: Upper::Callers,
        misreports_sha384: true,
        revisions: &[Version::V1_1],
        offers_highest: true,
        idle: 5,
        chunk: 100,
        ..Quirks::NONE
    };
    for hash in HASHES {
        contract::check_contract(&mut machine(hash, Quirks::NONE));
        contract::check_contract(&mut machine(hash, odd));
    }
    // Where the rules agree, the padded one keeps it too.
    let padded = Quirks { rule: RemRule::Padded, ..odd };
    contract::check_contract(&mut machine(Algorithm::Sha512, padded));
}

/// The registers of the table `sim:cca`, in the same order, with the same values.
#[test]
fn the_table_is_the_same() {
    for hash in HASHES {
        let mut machine = machine(hash, Quirks::NONE);
        let mut table = Simulated::new(platform::cca(hash).unwrap());
        assert_eq!(machine.name(), table.name());
        let described: Vec<_> = table.registers().map(|(id, r)| (id, r.name.to_owned())).collect();
        assert_eq!(machine.registers().count(), described.len());
        for (id, name) in described {
            assert_eq!(machine.find(&name), Some(id));
            let (here, there) = (machine.describe(id).unwrap(), table.describe(id).unwrap());
            assert_eq!((here.value, here.initial), (there.value, there.initial), "{name}");
            let bank = (here.banks() != Banks::NONE).then_some(hash);
            let size = here.size(bank).unwrap();
            let (mut one, mut other) = (vec![0; size], vec![1; size]);
            machine.read(id, bank, &mut one).unwrap();
            table.read(id, bank, &mut other).unwrap();
            assert_eq!(one, other, "{name}");
        }
    }
}

#[test]
fn survives_the_process() {
    let platform = Platform::new("survivor")
        .with_form(Form::Cmw)
        .with_profiles(PlatformProfile::V2, RealmProfile::V2);
    let mut machine = CcaMachine::with_monitor(Monitor::new().with_attester(platform));
    let rem2 = machine.find("rem2").unwrap();
    machine.extend(rem2, &[Algorithm::Sha256.hash(b"x")]).unwrap();
    let state = machine.save();
    assert!(state.starts_with(b"SIMULATED realm management monitor"));
    let mut again = CcaMachine::load(&state).unwrap();
    assert_eq!(again.monitor().realm(), machine.monitor().realm());
    // The same keys and profiles: tokens are the same, byte for byte.
    let report = |machine: &mut CcaMachine| {
        let mut out = [0; TOKEN_MAX];
        let size = machine.report(b"nonce", &mut out).unwrap();
        out[..size].to_vec()
    };
    assert_eq!(report(&mut again), report(&mut machine));
    // The state of the table's machine is another thing.
    assert!(CcaMachine::load(&Simulated::by_name("cca").unwrap().save()).is_err());
    assert!(Simulated::load(&state).is_err());
}

#[test]
fn no_registers_without_an_adapter() {
    let quirks = Quirks { revisions: &[Version(0x2_0000)], ..Quirks::NONE };
    let mut machine = machine(Algorithm::Sha256, quirks);
    assert_eq!(machine.registers().count(), 0);
    assert!(machine.report(b"", &mut [0; TOKEN_MAX]).is_err());
}

/// A log over a REM explains the value in the token.
#[test]
fn log_and_token() {
    for hash in HASHES {
        let mut machine = machine(hash, Quirks::NONE);
        let rem3 = machine.find("rem3").unwrap();
        let mut page = [0; 4096];
        let size = {
            let mut logged = Logged::<_, _, 1>::new(&mut machine);
            logged
                .attach(rem3, RecordLog::new(SliceStorage::new(&mut page), Limits::DEFAULT))
                .unwrap();
            logged.append(rem3, b"app.example start one").unwrap();
            logged.append(rem3, b"app.example start two").unwrap();
            usize::try_from(logged.log_size(rem3).unwrap()).unwrap()
        };
        let log = &page[..size];
        let mut token = [0; TOKEN_MAX];
        let size = machine.report(&[7; 64], &mut token).unwrap();
        let token = Token::parse(&token[..size], Rules::STRICT).unwrap();
        let claimed = token.realm.claims.rem(RemIndex::REM3).unwrap();
        let start = [Digest::zeros(hash)];
        let verified = verify(log, &start, &[claimed], Limits::DEFAULT, &mut ()).unwrap();
        assert_eq!(verified.holds(), Some(true));
        let other = token.realm.claims.rem(RemIndex::REM2).unwrap();
        let verified = verify(log, &start, &[other], Limits::DEFAULT, &mut ()).unwrap();
        assert_eq!(verified.holds(), Some(false));
    }
}
