// SPDX-License-Identifier: MIT OR Apache-2.0
//! REM extension against published and computed values.

mod common;

use common::{json, unhex};
use serde_json::Value;
use tsm_cca::RemRule;
use tsm_core::{Algorithm, Digest};

fn algorithm(case: &Value) -> Algorithm {
    let name = case["alg"].as_str().unwrap().replace('-', "");
    name.parse().unwrap()
}

fn digest(algorithm: Algorithm, value: &Value) -> Digest {
    Digest::from_bytes(algorithm, &unhex(value.as_str().unwrap())).unwrap()
}

/// What kvm-unit-tests expect of a monitor (`arm/realm-attest.c`).
#[test]
fn published() {
    let Some(cases) = json("kvm-unit-tests/rem-extend-kvm-unit-tests.json") else { return };
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 26);
    let mut padded = 0;
    for case in cases {
        let algorithm = algorithm(case);
        let by = |rule: RemRule| {
            let mut value = digest(algorithm, &case["initial"]);
            for data in case["extends"].as_array().unwrap() {
                value = rule.extended(&value, &unhex(data.as_str().unwrap())).unwrap();
            }
            value
        };
        let expected = digest(algorithm, &case["expected"]);
        assert_eq!(by(RemRule::Unpadded), expected, "{case}");
        padded += usize::from(by(RemRule::Padded) == expected);
    }
    assert_eq!(padded, 0, "no vector follows the specification's text");
}

/// Both rules, computed by another program.
#[test]
fn computed() {
    let Some(cases) = json("computed/rem-extend-computed.json") else { return };
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 30);
    for case in cases {
        let algorithm = algorithm(case);
        // One step, or several from zeros.
        let (mut unpadded, data) = match case.get("chain") {
            Some(chain) => (Digest::zeros(algorithm), chain.as_array().unwrap().clone()),
            None => (digest(algorithm, &case["old"]), vec![case["data"].clone()]),
        };
        let mut padded = unpadded;
        for data in data {
            let data = unhex(data.as_str().unwrap());
            unpadded = RemRule::Unpadded.extended(&unpadded, &data).unwrap();
            padded = RemRule::Padded.extended(&padded, &data).unwrap();
            let is_digest = data.len() == algorithm.size();
            assert!(!is_digest || (unpadded == padded) == RemRule::agree(algorithm));
        }
        assert_eq!(unpadded, digest(algorithm, &case["tf_rmm"]), "{case}");
        assert_eq!(padded, digest(algorithm, &case["rmm_spec_1024bit"]), "{case}");
        assert_eq!(unpadded == padded, case["agree"].as_bool().unwrap());
    }
}
