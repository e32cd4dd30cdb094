// SPDX-License-Identifier: MIT OR Apache-2.0
//! Laws of virtual registers: who shares the carrier, in which order and with which faults, does not
//! matter to anybody's values; platform side and verifier agree; nothing but the log decides.

use proptest::prelude::*;
use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::provider::{Error as _, Recorder as _};
use tsm_core::replay::{Match, Replay};
use tsm_core::virtual_registers::{Fold, FoldSink};
use tsm_core::{
    Algorithm, Banks, Digest, ErrorKind, Initial, Logged, Powers, Provider, Register,
    VirtualRegisters,
};
use tsm_sim::{Call, Fault, Faulty};

use crate::machine::{Subject, subject};

const NAMES: [&str; 3] = ["mr_ima", "mr_app", "org.example/mr:x"];

fn table() -> [Register<'static>; 3] {
    let two = Banks::new(&[Algorithm::Sha512, Algorithm::Sha1]).unwrap();
    let [ima, app, other] = NAMES;
    [
        Register::runtime(ima, Banks::one(Algorithm::Sha256)),
        Register::runtime(app, two),
        Register::runtime(other, Banks::one(Algorithm::Sha256)).starting(Initial::Ones),
    ]
}

/// What an application does.
#[derive(Clone, Debug)]
enum Deed {
    /// Extends a virtual register in all its banks.
    Extend { register: usize, seed: u8 },
    /// Appends a record of its own to the carrier's log.
    Append(String),
    /// Extends the carrier past its log.
    OffLog(u8),
    /// A new process opens everything again.
    Restart,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (0..3_usize, any::<u8>()).prop_map(|(register, seed)| Deed::Extend { register, seed }),
        2 => "[a-z]{1,8}( [a-z0-9 ]{0,20})?".prop_map(Deed::Append),
        1 => any::<u8>().prop_map(Deed::OffLog),
        1 => Just(Deed::Restart),
    ]
}

fn digests(register: &Register<'_>, seed: u8) -> Vec<Digest> {
    register.banks().iter().map(|bank| bank.hash(&[seed])).collect()
}

/// The values after these deeds as anybody would compute them alone.
fn alone(deeds: &[Deed], register: usize) -> Vec<Digest> {
    let register_ = &table()[register];
    let mut values: Vec<_> =
        register_.banks().iter().map(|b| register_.initial.value(b).unwrap()).collect();
    for deed in deeds {
        if let Deed::Extend { register: of, seed } = deed
            && *of == register
        {
            let digests = digests(register_, *seed);
            values.iter_mut().zip(digests).for_each(|(v, d)| v.extend(&d).unwrap());
        }
    }
    values
}

/// What came of some deeds.
struct Lived {
    /// Those that took effect.
    effective: Vec<Deed>,
    log: Vec<u8>,
    carrier: Vec<Digest>,
    /// Whether some may have taken effect although they failed.
    doubtful: bool,
    /// Whether the last one succeeded.
    ended_well: bool,
}

/// Lets `deeds` happen on a machine, with one fault.
fn live(subject: Subject, deeds: &[Deed], fault: Option<(u32, Fault)>) -> Lived {
    let table = table();
    let (machine, carrier) = subject.simulated();
    let mut device = Faulty::new(machine);
    if let Some((nth, fault)) = fault {
        device.arm(Call::Extend, nth, fault);
    }
    let mut page = vec![0; 1 << 17];
    let mut used = 0;
    let mut effective = Vec::new();
    let mut doubtful = false;
    let mut ended_well = true;
    for process in deeds.split(|deed| matches!(deed, Deed::Restart)) {
        let mut below = Logged::<_, _, 1>::new(&mut device);
        let storage = SliceStorage::with_content(&mut page, used).unwrap();
        let log = {
            // A second handle to the same device, as the log's opener needs one.
            let (mut fresh, _) = subject.simulated();
            let device = below.provider();
            for bank in device.describe(carrier).unwrap().banks().iter() {
                let value = device.provider().clone().value(carrier, bank).unwrap();
                let name = device.describe(carrier).unwrap().name.to_string();
                fresh.preset(&name, Some(bank), value.as_bytes()).unwrap();
            }
            RecordLog::open(storage, Limits::DEFAULT, &mut fresh, carrier, &mut []).unwrap()
        };
        below.attach(carrier, log).unwrap();
        let mut virt = VirtualRegisters::<_, 4>::open(below, carrier, &table).unwrap();
        for deed in process {
            let done = match deed {
                Deed::Extend { register, seed } => {
                    let id = virt.find(NAMES[*register]).unwrap();
                    virt.extend(id, &digests(&table[*register], *seed))
                }
                Deed::Append(record) => virt.append(carrier, record.as_bytes()),
                Deed::OffLog(seed) => {
                    let banks = virt.describe(carrier).unwrap().banks();
                    let digests: Vec<_> = banks.iter().map(|b| b.hash(&[*seed])).collect();
                    virt.extend(carrier, &digests)
                }
                Deed::Restart => unreachable!(),
            };
            ended_well = done.is_ok();
            match done {
                Ok(()) => effective.push(deed.clone()),
                Err(error) => doubtful |= error.kind() == ErrorKind::StateUnknown,
            }
        }
        used = virt.provider().log(carrier).unwrap().storage().as_bytes().len();
    }
    page.truncate(used);
    let mut machine = device.into_inner();
    let banks = machine.describe(carrier).unwrap().banks();
    let carrier = banks.iter().map(|bank| machine.value(carrier, bank).unwrap()).collect();
    Lived { effective, log: page, carrier, doubtful, ended_well }
}

/// What a verifier folds from the log, and how the carrier's value stands to it.
fn folded(subject: Subject, log: &[u8], carrier: &[Digest]) -> (Vec<Digest>, Vec<Match>) {
    let (machine, id) = subject.simulated();
    let initial = machine.describe(id).unwrap().initial;
    let start: Vec<_> = carrier.iter().map(|v| initial.value(v.algorithm()).unwrap()).collect();
    let mut replay = Replay::new(&start).unwrap();
    replay.expect(carrier).unwrap();
    let table = table();
    let mut sink = FoldSink::new(Fold::<4>::new(&table).unwrap());
    replay.feed(log, Limits::DEFAULT, &mut sink).unwrap();
    assert_eq!(sink.malformed(), None);
    let values = sink.fold().values().map(|v| v.value).collect();
    (values, replay.outcome().banks().map(|(_, m)| m).collect())
}

fn fault() -> impl Strategy<Value = (u32, Fault)> {
    let fault = prop_oneof![
        Just(Fault::Refuse(ErrorKind::Failed)),
        Just(Fault::Busy(2)),
        Just(Fault::Unknown { effect: true }),
        Just(Fault::Unknown { effect: false }),
    ];
    (1..40_u32, fault)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Everybody's values are those they would have alone, and the verifier finds the same.
    // T-21
    #[test]
    fn sharing_changes_nobodys_value(
        subject in subject(),
        deeds in prop::collection::vec(deed(), 0..25),
    ) {
        let Lived { effective, log, carrier, .. } = live(subject, &deeds, None);
        prop_assert_eq!(effective.len() + restarts(&deeds), deeds.len());
        let expected: Vec<_> = (0..3).flat_map(|register| alone(&effective, register)).collect();
        let (values, matches) = folded(subject, &log, &carrier);
        prop_assert_eq!(values, expected);
        // A carrier that was extended off-log last is behind its notes: they are complete too.
        prop_assert!(matches.iter().all(|m| *m == Match::Complete), "{:?}", matches);
    }

    /// Reordering what different names do changes no virtual value.
    // T-21
    #[test]
    fn interleaving_does_not_matter(
        subject in subject(),
        mut deeds in prop::collection::vec(deed(), 0..20),
        shuffle in any::<u64>(),
    ) {
        let whole = (0..3).flat_map(|register| alone(&deeds, register)).collect::<Vec<_>>();
        // One name's deeds stay in order; the others move by a pseudo-random amount.
        let mut keyed: Vec<_> = deeds.drain(..).enumerate().map(|(place, deed)| {
            let owner = match &deed {
                Deed::Extend { register, .. } => *register as u64,
                _ => 3,
            };
            let shift = shuffle.rotate_left(13 * owner as u32) % 20;
            (place as u64 + shift, deed)
        }).collect();
        keyed.sort_by_key(|(key, _)| *key);
        let shuffled: Vec<_> = keyed.into_iter().map(|(_, deed)| deed).collect();
        let Lived { log, carrier, .. } = live(subject, &shuffled, None);
        prop_assert_eq!(folded(subject, &log, &carrier).0, whole);
    }

    /// With a fault at any extension, what the log says is what everybody reads, and the next
    /// append brings the carrier back in step.
    // T-23
    #[test]
    fn a_fault_leaves_log_and_values_agreeing(
        subject in subject(),
        deeds in prop::collection::vec(deed(), 1..20),
        fault in fault(),
    ) {
        let last = Deed::Append("last".into());
        let deeds: Vec<_> = deeds.into_iter().chain([last.clone(), last]).collect();
        let lived = live(subject, &deeds, Some(fault));
        let (values, matches) = folded(subject, &lived.log, &lived.carrier);
        if lived.ended_well {
            prop_assert!(matches.iter().all(|m| *m == Match::Complete), "{:?}", matches);
        }
        if !lived.doubtful {
            let expected: Vec<_> = (0..3).flat_map(|r| alone(&lived.effective, r)).collect();
            prop_assert_eq!(values, expected);
        }
    }
}

fn restarts(deeds: &[Deed]) -> usize {
    deeds.iter().filter(|deed| matches!(deed, Deed::Restart)).count()
}

/// The law above would be empty if nothing were ever extended directly.
#[test]
fn carriers_permit_direct_extension() {
    for subject in Subject::ALL {
        let (machine, id) = subject.simulated();
        let powers = machine.describe(id).unwrap().powers;
        assert!(powers.contains(Powers::DIRECT), "{subject:?}");
    }
}
