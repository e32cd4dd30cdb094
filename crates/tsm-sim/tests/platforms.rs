// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every platform that comes with the simulator: contract, registers, derived values.

use tsm_core::kernel::{ConversionError, Form};
use tsm_core::provider::Reporter;
use tsm_core::{Algorithm, Banks, Cached, Digest, ErrorKind, Powers, Presentation, Provider};
use tsm_core::{Initial, RegisterId, cached};
use tsm_sim::{Faulty, Platform, Simulated, Trace, contract, platform};

fn machine(name: &str) -> Simulated {
    Simulated::by_name(name).unwrap()
}

fn read(machine: &mut Simulated, name: &str, bank: Option<Algorithm>) -> Vec<u8> {
    let id = machine.find(name).unwrap();
    let mut value = vec![0; machine.describe(id).unwrap().size(bank).unwrap()];
    machine.read(id, bank, &mut value).unwrap();
    value
}

fn write(machine: &mut Simulated, name: &str, value: &[u8]) {
    let id = machine.find(name).unwrap();
    machine.as_writable().unwrap().write(id, value).unwrap();
}

// T-37
#[test]
fn every_platform_fulfils_the_contract() {
    let mut machines: Vec<_> = platform::NAMES.into_iter().map(machine).collect();
    for &hash in Algorithm::ALL {
        machines.extend(platform::cca(hash).map(Simulated::new));
    }
    for banks in [&[Algorithm::Sha256][..], &[Algorithm::Sha512, Algorithm::Sha1]] {
        machines.push(Simulated::new(platform::tpm(Banks::new(banks).unwrap()).unwrap()));
    }
    assert_eq!(machines.len(), 5 + 3 + 2);
    for mut machine in machines {
        contract::check_contract(&mut machine);
        // Also once more, with what can be locked locked.
        contract::check_contract(&mut machine);
        machine.reset();
        assert_eq!(machine, Simulated::new(machine.platform().clone()));
    }
}

// T-37
#[test]
fn middleware_fulfils_the_contract_too() {
    for name in platform::NAMES {
        contract::check_contract(&mut Faulty::new(machine(name)));
        contract::check_contract(&mut Faulty::new(machine(name)).remembering());
        contract::check_contract(&mut Trace::new(machine(name)));
        contract::check_contract(&mut &mut machine(name));
        let mut buffer = vec![0; cached::needed(&machine(name))];
        contract::check_contract(&mut Cached::new(machine(name), &mut buffer));
    }
}

// T-38
#[test]
fn names_say_simulated() {
    for name in platform::NAMES {
        let mut machine = machine(name);
        assert_eq!(machine.name(), format!("sim:{name}"));
        let mut report = vec![0; machine.platform().report_size()];
        let size = machine.report(b"", &mut report).unwrap();
        assert_eq!(size, report.len());
        let text = String::from_utf8_lossy(&report[..Platform::REPORT_HEADER]);
        assert!(text.starts_with("SIMULATED ") && text.contains(machine.name()), "{text}");
        assert!(machine.save().starts_with(b"SIMULATED "));
        assert_eq!(Simulated::by_name(machine.name()), None);
    }
    assert_eq!(Simulated::by_name("vax"), None);
}

#[test]
fn example_derives_report_and_digest() {
    let mut machine = machine("example");
    let sha512 = Some(Algorithm::Sha512);
    let before = read(&mut machine, "full_report", None);
    let digest = read(&mut machine, "report_digest", sha512);
    assert_eq!(digest, Algorithm::Sha512.hash(&before).as_bytes());

    let user: Vec<u8> = (100..164).collect();
    write(&mut machine, "user_data", &user);
    let after = read(&mut machine, "full_report", None);
    assert!(after.windows(64).any(|window| window == user));
    assert!(!before.windows(64).any(|window| window == user));
    assert_eq!(read(&mut machine, "user_data", None), user);
    assert_ne!(read(&mut machine, "report_digest", sha512), digest);

    // What is extended shows in both, too.
    let rtmr = machine.find("rtmr0").unwrap();
    machine.extend(rtmr, &[Algorithm::Sha256.hash(b"")]).unwrap();
    let value = read(&mut machine, "rtmr0", Some(Algorithm::Sha256));
    let last = read(&mut machine, "full_report", None);
    assert!(last.windows(32).any(|window| window == value));
    let digest = read(&mut machine, "report_digest", sha512);
    assert_eq!(digest, Algorithm::Sha512.hash(&last).as_bytes());
    assert_eq!(last, machine.simulated_report());
}

#[test]
fn a_report_binds_user_data() {
    let mut machine = machine("tdx");
    let mut out = vec![0xEE; 2000];
    let size = machine.report(b"nonce", &mut out).unwrap();
    // Header, user data, four static values, four RTMRs.
    assert_eq!(size, 96 + 64 + 8 * 48);
    assert_eq!(out[96..101], *b"nonce");
    assert!(out[101..160].iter().all(|&b| b == 0), "padded with zeros");
    assert_eq!(out[160..208], *read(&mut machine, "mrtd", Some(Algorithm::Sha384)));
    assert!(out[size..].iter().all(|&b| b == 0xEE));
    let wrong = Err(ErrorKind::WrongSize);
    assert_eq!(machine.report(&[0; 65], &mut out), wrong);
    assert_eq!(machine.report(b"", &mut out[..size - 1]), wrong);
    assert_eq!(machine.simulated_report()[96..101], *b"nonce", "a refused report changes nothing");
}

/// Flags of the RFC's example module, from its source: R 4 everywhere by its macro, L 8, X 1, W 2.
#[test]
fn example_in_the_kernels_forms() {
    let (x, w, r, l) = (1, 2, 4, 8);
    let rfc = [
        ("full_report", r | l, 0),
        ("static_mr", r, 5),
        ("config_mr", r, 0),
        ("rtmr0", x | r | l, 4),
        ("rtmr1", x | w | r | l, 5),
        ("user_data", w | r, 0),
        ("report_digest", r | l, 6),
    ];
    // Linux 6.16: NOHASH 1, WRITABLE 2, READABLE 4, LIVE 8. Directories, and registers that may be
    // extended through a log only, are not there.
    let linux = [
        ("full_report", Some(1 | 4 | 8)),
        ("static_mr", Some(4)),
        ("config_mr", Some(1 | 4)),
        ("rtmr0", None),
        ("rtmr1", None),
        ("user_data", Some(1 | 2 | 4)),
        ("report_digest", Some(4 | 8)),
    ];
    let machine = machine("example");
    assert_eq!(machine.registers().count(), rfc.len());
    for ((_, register), ((name, flags, hash), (_, linux))) in
        machine.registers().zip(rfc.into_iter().zip(linux))
    {
        assert_eq!(register.name, name);
        let entries: Vec<_> = register.to_kernel(Form::Rfc1).unwrap().collect();
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].flags, entries[0].hash), (flags, hash), "{name}");
        let size = register.size(register.banks().single()).unwrap();
        assert_eq!(entries[0].size, u32::try_from(size).unwrap());
        let converted = register.to_kernel(Form::Linux).map(|mut e| e.next().unwrap().flags);
        assert_eq!(converted, linux.ok_or(ConversionError::NotExpressible), "{name}");

        // As files, `rtmr1` is what Linux 6.16's sample has; `rtmr0` still cannot be said.
        let as_file = register.shown_as(Presentation::File).to_kernel(Form::Linux);
        let as_file = as_file.map(|mut e| e.next().unwrap().flags);
        match name {
            "rtmr0" => assert_eq!(as_file, Err(ConversionError::NotExpressible)),
            "rtmr1" => assert_eq!(as_file, Ok(14)),
            _ => assert_eq!(as_file, converted),
        }
    }
}

#[test]
fn tpm_by_number() {
    let mut machine = machine("tpm");
    assert_eq!(machine.registers().count(), 24);
    for number in 0..24u16 {
        let id = RegisterId(number);
        let register = machine.describe(id).unwrap();
        assert_eq!(register.name, format!("pcr{number}"));
        assert_eq!(register.banks().len(), 3);
        let dynamic = (17..=22).contains(&number);
        assert_eq!(register.initial == Initial::Ones, dynamic);
        assert_eq!(register.powers.contains(Powers::EXTEND | Powers::DIRECT), !dynamic);
        let value = machine.value(id, Algorithm::Sha256).unwrap();
        let start = if dynamic { Digest::ones } else { Digest::zeros };
        assert_eq!(value, start(Algorithm::Sha256));
    }
    // Some banks only.
    let some = [Algorithm::Sha1.hash(b""), Algorithm::Sha384.hash(b"")];
    machine.extend(RegisterId(10), &some).unwrap();
    assert!(machine.value(RegisterId(10), Algorithm::Sha256).unwrap().is_zeros());
    assert!(!machine.value(RegisterId(10), Algorithm::Sha384).unwrap().is_zeros());
    assert_eq!(platform::tpm(Banks::NONE), None);
}

/// Two extensions of an RTMR from zeros as Python's hashlib computes them.
#[test]
fn extension_as_other_programs_compute_it() {
    let mut machine = machine("tdx");
    let rtmr = machine.find("rtmr2").unwrap();
    machine.extend(rtmr, &[Algorithm::Sha384.hash(b"alpha")]).unwrap();
    machine.extend(rtmr, &[Algorithm::Sha384.hash(b"beta")]).unwrap();
    let expected = "sha384/7ac205f61083e76a9352d7dbcf92720e2b9f447792fddf57\
                    883f27e1a199109bcd3a11d86f6960a6b4bd050820fa0068";
    assert_eq!(machine.value(rtmr, Algorithm::Sha384).unwrap().to_string(), expected);
}

#[test]
fn preset_and_reset() {
    let mut machine = machine("tdx");
    let sha384 = Some(Algorithm::Sha384);
    machine.preset("mrtd", sha384, &[7; 48]).unwrap();
    machine.preset("mrowner", None, &[8; 48]).unwrap();
    assert_eq!(read(&mut machine, "mrtd", sha384), [7; 48]);
    assert_eq!(read(&mut machine, "mrowner", None), [8; 48]);
    for (name, bank, size, error) in [
        ("nothing", sha384, 48, ErrorKind::NoSuchRegister),
        ("mrtd", None, 48, ErrorKind::NoSuchBank),
        ("mrtd", Some(Algorithm::Sha256), 32, ErrorKind::NoSuchBank),
        ("mrtd", sha384, 47, ErrorKind::WrongSize),
    ] {
        assert_eq!(machine.preset(name, bank, &vec![0; size]), Err(error));
    }
    machine.reset();
    assert_ne!(read(&mut machine, "mrtd", sha384), [7; 48]);
    let mut example = Simulated::by_name("example").unwrap();
    let derived = example.preset("user_data", None, &[0; 64]);
    assert_eq!(derived, Err(ErrorKind::NotPermitted));
}
