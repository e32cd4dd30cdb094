// SPDX-License-Identifier: MIT OR Apache-2.0
//! The log of Confidential Containers' agent, as text and tagged.

use tsm_core::Digest;
use tsm_eventlog::aael::{Event, Log, Tagged, write_init};
use tsm_eventlog::cel::{Register, Replay};

/// Input: a text log; also the data of a tagged event.
pub fn aael(data: &[u8]) {
    if let Some(Ok(tagged)) = Tagged::read(data) {
        assert_eq!(tagged.hashed(), data);
        assert_eq!(data[..4], *b"LEAA");
        assert_eq!(joined(tagged.event()), &data[8..]);
        rewrite(tagged.event());
    }
    let register = Register::CcMr(4);
    let Ok(log) = Log::open(data, register) else {
        assert!(data.split(|&b| b == b'\n').next().is_none_or(|line| {
            line.strip_prefix(b"INIT ").is_none_or(|value| Digest::parse(value).is_err())
        }));
        return;
    };
    assert_eq!(log.register(), register);
    let bank = log.init().algorithm();
    // The lines as a naive reader has them; an empty one behind the last line feed is none.
    let mut lines: Vec<&[u8]> = data.split(|&b| b == b'\n').collect();
    if lines.last() == Some(&&b""[..]) {
        lines.pop();
    }
    let mut value = Digest::zeros(bank);
    let (mut count, mut at) = (0, 0);
    let mut whole = true;
    for line in log.clone() {
        let Ok(line) = line else {
            whole = false;
            break;
        };
        assert_eq!(line.line(), lines[count]);
        assert_eq!((line.position().offset, line.position().record), (at, count as u64));
        assert_eq!(line.position().line, count as u64 + 1);
        at = line.end().offset;
        assert_eq!(line.digest(), bank.hash(lines[count]));
        assert_eq!(line.event().is_none(), count == 0);
        if let Some(event) = line.event() {
            assert_eq!(joined(event), lines[count]);
            rewrite(event);
        }
        value.extend(&line.digest()).expect("of the bank");
        count += 1;
    }
    assert_eq!(whole, count == lines.len());
    let mut out = [0; 256];
    let first = write_init(log.init(), &mut out).expect("room");
    assert_eq!(first.strip_suffix(b"\n"), Some(lines[0]), "there is one way to write it");
    let mut replay = Replay::<1>::new(&[bank]).expect("a bank");
    assert_eq!(replay.run(log).error().is_none(), whole);
    assert_eq!(replay.register(register).expect("the first line").value(bank), Some(value));
}

fn joined(event: Event<'_>) -> Vec<u8> {
    format!("{} {} {}", event.domain(), event.operation(), event.content()).into_bytes()
}

/// What can be written is read back as the same event.
fn rewrite(event: Event<'_>) {
    let (domain, operation, content) = (event.domain(), event.operation(), event.content());
    let odd = domain.is_empty() || operation.is_empty();
    let lines = [domain, operation, content].concat().contains('\n');
    let Ok(new) = Event::new(domain, operation, content) else {
        assert!(odd || lines);
        return;
    };
    assert!(!odd && !lines && new == event);
    let mut out = vec![0; 1 << 17];
    let line = event.write_line(&mut out).expect("room").to_vec();
    assert_eq!(line, [&joined(event)[..], b"\n"].concat());
    let tagged = event.write_tagged(&mut out).expect("room");
    let again = Tagged::read(tagged).expect("tagged").expect("an event");
    assert_eq!(again.event(), event);
}
