// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm demo`: the whole idea on a simulated confidential VM.
//!
//! [`machine`] measures: firmware, two applications and IMA share runtime registers, and somebody
//! extends one past its log, which is noted and captured. [`verifier`] knows nothing of that but
//! evidence and the logs; [`scene`] is what the platforms differ in. This file tells the story: honest logs first, then with one byte changed.

mod machine;
mod scene;
mod verifier;

use anstream::println;
use tsm_core::replay::Match;
use tsm_core::{Algorithm, Digest};

use crate::args::DemoPlatform;
use crate::failure::Failure;
use crate::style::{BAD, Escaped, FAINT, GOOD, HEAD, NOTE, Styled, short};
use crate::{Result, Verdict};
use machine::{Evidence, IMA};
use scene::Scene;
use verifier::{Findings, Mark};

/// A list that a real kernel (Linux 7.3.4) wrote, and the value its TPM's PCR 10 had.
const IMA_LIST: &[u8] = include_bytes!("demo/data/ima_binary_runtime_measurements");
const IMA_PCRS: &str = include_str!("demo/data/pcr-sha256.txt");

pub(crate) fn run(platform: DemoPlatform) -> Result {
    let scene = &Scene::of(platform);
    // Who verifies chooses it; two runs are to be the same.
    let nonce = Algorithm::Sha256.hash(b"the demo's nonce");
    println!(
        "{}",
        Styled(HEAD, "tsm demo: a confidential VM's measurements, from register to verdict")
    );
    println!(
        "{}\n",
        Styled(
            NOTE,
            format!(
                "The {} is SIMULATED and proves nothing; the IMA list is a real kernel's.",
                scene.guest
            )
        )
    );

    let evidence = machine::measure(scene, IMA_LIST, &nonce)?;
    tell_measuring(scene, &evidence);

    println!("{}", Styled(HEAD, "2. Verify, layer by layer"));
    let honest = verifier::verify(scene, &evidence, IMA_LIST, &nonce)?;
    tell(&honest);
    let real = real_pcr10()?;
    let equal = honest.ima.as_ref().is_some_and(|ima| ima.value == real);
    tell_line(equal.into(), "", &format!("{IMA} equals what the real machine's TPM had in PCR 10"));
    println!("{}\n", verdict(honest.holds && equal));

    println!(
        "{}",
        Styled(HEAD, format!("3. The same with one byte of {}'s log changed", scene.carrier()))
    );
    let (forged, at) = forge(scene, &evidence)?;
    let found = verifier::verify(scene, &forged, IMA_LIST, &nonce)?;
    tell(&found);
    let located = found.located.as_ref().filter(|place| place.contains(at));
    if let Some(place) = located {
        let name = Escaped(&place.file);
        println!(
            "   {}",
            Styled(
                NOTE,
                format!(
                    "located: line {}, bytes {} to {}: the record says {}, but the list's record {} \
             ({name}) hashes to {}",
                    place.line,
                    place.from,
                    place.to,
                    short(&place.says),
                    place.entry,
                    short(&place.list)
                )
            )
        );
    }
    println!("{}\n", verdict(found.holds));

    println!("{}", Styled(HEAD, "4. The same with one byte of the IMA list changed"));
    let mut list = IMA_LIST.to_vec();
    // The first letter of the last file's name.
    let name = list.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash + 1);
    if let Some(byte) = list.get_mut(name) {
        *byte ^= 1;
    }
    let broken = verifier::verify(scene, &evidence, &list, &nonce)?;
    tell(&broken);
    println!("{}\n", verdict(broken.holds));

    let good = honest.holds && equal && !found.holds && located.is_some() && !broken.holds;
    let summary = "the honest logs hold, and each changed byte was found and located";
    if good {
        println!("{} {summary}", Styled(GOOD, "demo: as it should be:"));
        return Ok(Verdict::Holds);
    }
    println!("{} expected that {summary}", Styled(BAD, "demo: FAILED:"));
    Ok(Verdict::DoesNotHold)
}

fn verdict(holds: bool) -> String {
    if holds {
        format!("   {}", Styled(GOOD, "verdict: holds"))
    } else {
        format!("   {}", Styled(BAD, "verdict: does not hold"))
    }
}

fn tell_measuring(scene: &Scene, evidence: &Evidence) {
    println!("{}", Styled(HEAD, "1. Measure"));
    for log in &evidence.logs {
        let lines = log.bytes.iter().filter(|&&b| b == b'\n').count();
        println!("   {:<7}{lines:>4} lines   {}", log.register, log.story);
    }
    println!("   {:<7}{:>4} bytes   {}", scene.evidence, evidence.bytes.len(), scene.made);
    for (register, some) in [(scene.carrier(), 5), (scene.third(), 5)] {
        println!("   {}", Styled(FAINT, format!("the first lines of {register}'s log:")));
        let log = evidence.log(register).map(|log| log.bytes.as_slice()).unwrap_or_default();
        let lines = log.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        for line in lines.take(some) {
            let text: String = Escaped(line).to_string().chars().take(84).collect();
            println!("     {}", Styled(FAINT, text));
        }
    }
    println!();
}

fn tell(findings: &Findings) {
    for line in &findings.lines {
        tell_line(line.mark, line.layer, &line.text);
    }
}

fn tell_line(mark: Mark, layer: &str, text: &str) {
    let mark = match mark {
        Mark::Good => Styled(GOOD, "ok "),
        Mark::Bad => Styled(BAD, "BAD"),
        Mark::Note => Styled(NOTE, "-- "),
    };
    println!("   {mark} {layer:<12} {text}");
}

/// Changes one hex digit of IMA's last record. Returns where.
fn forge(scene: &Scene, evidence: &Evidence) -> Result<(Evidence, usize)> {
    let mut forged = evidence.clone();
    let log = forged.logs.iter_mut().find(|log| log.register == scene.carrier());
    let log = log.ok_or_else(|| Failure::usage("the demo's machine has no carrier"))?;
    let record = format!("{IMA} extend sha256/");
    let at = log.bytes.windows(record.len()).rposition(|w| w == record.as_bytes());
    let at =
        at.ok_or_else(|| Failure::usage("the demo's log has no IMA record"))? + record.len() + 5;
    if let Some(digit) = log.bytes.get_mut(at) {
        *digit = if *digit == b'0' { b'1' } else { b'0' };
    }
    Ok((forged, at))
}

fn real_pcr10() -> Result<Digest> {
    let line = IMA_PCRS.lines().find_map(|line| line.strip_prefix("10 "));
    let value = line.map(|hex| format!("sha256/{}", hex.trim().to_ascii_lowercase()));
    let value = value.and_then(|text| text.parse().ok());
    value.ok_or_else(|| Failure::usage("the demo's PCR file is damaged"))
}

/// How a match is told.
fn match_words(found: Match) -> &'static str {
    match found {
        Match::Complete => "matches the log's end",
        Match::Prefix { .. } => "matches only a prefix of the log",
        Match::Mismatch => "matches nowhere in the log",
        Match::Unchecked => "was not compared",
    }
}
