// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state machine against vectors, and against every kind of host one by one.

mod common;

use core::mem::MaybeUninit;
use std::collections::BTreeSet;

use common::firmware::Firmware;
use common::host::{Act, Host};
use common::{array, json, shared, unhex};
use tsm_snp::message::{GuestFields, Header, RootKey};
use tsm_snp::{
    Cause, Certificates, Error, ErrorKind, Event, Exchange, Exit, FirmwareStatus, GuestChannel,
    GuestMessages, HostStatus, KeyRequest, MessageMemory, MessageStatus, REPORT_SIZE, Report,
    ReportRequest, SecretsPage, Vmpck, VmpckIndex, Vmpl,
};

fn guest(schedule: impl IntoIterator<Item = Act>) -> GuestMessages<Host> {
    let host = Host::new(schedule);
    let mut key = host.firmware.keys[0];
    GuestMessages::new(Vmpck::unused(VmpckIndex::ALL[0], &mut key), host)
}

fn request(byte: u8) -> ReportRequest {
    ReportRequest::new([byte; 64], Vmpl::VMPL0)
}

fn ask(guest: &mut GuestMessages<impl GuestChannel>, byte: u8) -> Result<[u8; 64], ErrorKind> {
    let mut out = [0xEE; REPORT_SIZE];
    match guest.report(&request(byte), &mut out) {
        Ok(()) => {
            let report = Report::parse(&out, Default::default()).unwrap();
            Ok(*report.report_data())
        }
        Err(error) => {
            assert_eq!(out, [0xEE; REPORT_SIZE], "something was written");
            Err(error.kind())
        }
    }
}

/// A channel that gives one response and keeps the request.
struct Recorded {
    request: Vec<u8>,
    response: Vec<u8>,
}

impl GuestChannel for &mut Recorded {
    fn exchange(&mut self, mut exchange: Exchange<'_>) -> Result<Exit, Error> {
        self.request = exchange.request().to_vec();
        let response = exchange.response_mut();
        response.copy_from_slice(&self.response[..response.len()]);
        Ok(Exit::ANSWERED)
    }
}

/// Key, nonce and associated data as an issue of AMD's shows them; the whole pages were sealed by
/// another implementation.
#[test]
fn vectors_byte_for_byte() {
    let Some(folder) = shared("snp") else { return };
    let vector = json(&folder.join("synthetic/guestmsg_kat.json"));
    let text = |part: &str, field: &str| vector[part][field].as_str().unwrap().to_owned();
    let page =
        |part| std::fs::read(folder.join("synthetic").join(text(part, "page_file"))).unwrap();
    let plaintext = unhex(&text("request", "plaintext"));
    let vmpl = Vmpl::new(plaintext[0x40].into()).unwrap();
    assert_eq!(plaintext[..0x40], [0; 64]);

    let mut key = array(vector["key"].as_str().unwrap());
    let mut recorded = Recorded { request: Vec::new(), response: page("response") };
    let key = Vmpck::unused(VmpckIndex::ALL[1], &mut key);
    let mut guest = GuestMessages::new(key, &mut recorded);
    let mut out = [0; REPORT_SIZE];
    let asked = guest.report(&ReportRequest::new([0; 64], vmpl), &mut out);
    // The response is a real report: authentic, but of other data than the request's.
    assert_eq!(asked.map_err(|error| error.kind()), Err(ErrorKind::NotAsAsked));
    assert!(guest.key().is_some() && !guest.is_in_flight());

    let expected = page("request");
    assert_eq!(recorded.request, expected[..recorded.request.len()]);
    assert!(expected[recorded.request.len()..].iter().all(|&byte| byte == 0));
    let header: &Header = zerocopy::FromBytes::ref_from_prefix(&recorded.request).unwrap().0;
    assert_eq!(header.associated_data(), unhex(&text("request", "aad")));
    assert_eq!(header.nonce().to_vec(), unhex(&text("request", "iv")));
}

/// The same response to a request of its data gives the report of the file, byte for byte.
#[test]
fn a_real_report_is_decrypted() {
    let Some(folder) = shared("snp") else { return };
    let response = std::fs::read(folder.join("guestmsg/msg_report_rsp_4000.bin")).unwrap();
    let report = Report::parse(&response[0x20..0x20 + REPORT_SIZE], Default::default()).unwrap();
    let firmware = Firmware::new();
    let page = firmware.seal(0, 2, 6, &response[..0x4C0]);
    let mut recorded = Recorded { request: Vec::new(), response: page };
    let mut key = firmware.keys[0];
    let mut guest = GuestMessages::new(Vmpck::unused(VmpckIndex::ALL[0], &mut key), &mut recorded);
    let mut out = [0; REPORT_SIZE];
    let request = ReportRequest::new(*report.report_data(), report.guest_vmpl().unwrap());
    guest.report(&request, &mut out).unwrap();
    assert_eq!(out, response[0x20..0x20 + REPORT_SIZE]);
}

#[test]
fn one_after_the_other() {
    let mut guest = guest([]);
    for byte in 0..20 {
        assert_eq!(ask(&mut guest, byte), Ok([byte; 64]));
    }
    let tsc = guest.tsc_info().unwrap();
    assert_eq!((tsc.scale, tsc.offset, tsc.factor), (1, 2, 3));
    let request = KeyRequest::new(
        RootKey::Endorsement(Default::default()),
        GuestFields::MEASUREMENT,
        Vmpl::VMPL1,
    );
    assert_eq!(guest.derive_key(&request).unwrap().as_bytes(), &[0x5E; 32]);
    let newer = request.launch_mitigation_vector(1);
    assert_eq!(guest.derive_key(&newer).unwrap().as_bytes(), &[0x5E; 32]);
    let numbers: Vec<_> = guest.channel_mut().seen.keys().map(|&(_, number)| number).collect();
    assert_eq!(numbers, (0..23).map(|n| 2 * n + 1).collect::<Vec<_>>());
}

/// The answer to a newer request has version 1 or the request's; no other, and no newer one than was
/// asked for.
#[test]
fn versions_of_answers() {
    let firmware = Firmware::new();
    let older = KeyRequest::new(
        RootKey::Endorsement(Default::default()),
        GuestFields::MEASUREMENT,
        Vmpl::VMPL1,
    );
    let newer = older.launch_mitigation_vector(1);
    let mut answer = vec![0; 64];
    answer[32..].copy_from_slice(&[0x5E; 32]);
    for (request, version, good) in
        [(older, 1, true), (older, 2, false), (newer, 1, true), (newer, 2, true), (newer, 3, false)]
    {
        let response = firmware.seal_version(version, 0, 2, 4, &answer);
        let mut recorded = Recorded { request: Vec::new(), response };
        let mut key = firmware.keys[0];
        let key = Vmpck::unused(VmpckIndex::ALL[0], &mut key);
        let mut guest = GuestMessages::new(key, &mut recorded);
        let derived = guest.derive_key(&request).map(|key| *key.as_bytes());
        let disabled = ErrorKind::Disabled(Cause::Header);
        let expected = if good { Ok([0x5E; 32]) } else { Err(disabled) };
        assert_eq!(derived.map_err(|error| error.kind()), expected, "{version}");
    }
}

/// The firmware's own refusal is an answer: the key goes on.
#[test]
fn refused_by_the_firmware() {
    let mut host = Host::new([]);
    let mut key = host.firmware.keys[2];
    let mut guest = GuestMessages::new(Vmpck::unused(VmpckIndex::ALL[2], &mut key), &mut host);
    let refused = ErrorKind::Message(MessageStatus::INVALID_PARAMETERS);
    assert_eq!(ask(&mut guest, 1), Err(refused));
    let mut out = [0; REPORT_SIZE];
    guest.report(&ReportRequest::new([2; 64], Vmpl::VMPL3), &mut out).unwrap();
}

/// After each of these the key is gone, nothing was given out, and nothing is sent any more.
#[test]
fn what_disables_a_key() {
    let firmware = |status| Cause::Firmware(FirmwareStatus(status));
    let cases = [
        (Act::Swallow, Cause::Sequence(0)),
        (Act::KeepAnswer, Cause::Sequence(0)),
        (Act::Replay(0), Cause::Sequence(2)),
        (Act::Mirror, Cause::Sequence(3)),
        (Act::MorePages(Some(4)), Cause::Host(HostStatus::INVALID_LENGTH)),
        (Act::Unmarked(false, true), Cause::Undefined),
        (Act::Unmarked(true, false), Cause::Undefined),
        (Act::Unmarked(false, false), Cause::Undefined),
        (Act::Status(0x1D, 0), firmware(0x1D)),
        (Act::Status(0x99, 0), firmware(0x99)),
        (Act::Status(0x16, 2), firmware(0x16)),
        (Act::Status(0, 7), Cause::Host(HostStatus(7))),
        (Act::Unhandled(1), Cause::Unhandled(1, 0)),
        (Act::Unhandled(77), Cause::Unhandled(77, 0)),
        (Act::Change(0, 1), Cause::Unauthentic),
        (Act::Change(16, 1), Cause::Header),
        (Act::Change(0x20, 1), Cause::Sequence(5)),
        (Act::Change(0x28, 1), Cause::Header),
        (Act::Change(0x30, 1), Cause::Header),
        (Act::Change(0x34, 0x40), Cause::MessageType(70)),
        (Act::Change(0x35, 3), Cause::Header),
        (Act::Change(0x36, 1), Cause::MessageSize(0x4C1)),
        (Act::Change(0x3C, 1), Cause::Header),
        (Act::Change(0x60, 1), Cause::Unauthentic),
        (Act::Change(0x51F, 0x80), Cause::Unauthentic),
        (Act::Cut(0x60), Cause::Unauthentic),
        (Act::Cut(0x51F), Cause::Unauthentic),
        (Act::ChangeRequest(0x61, 1), firmware(0x16)),
        (Act::ChangeRequest(0x20, 2), firmware(0x16)),
    ];
    for (act, cause) in cases {
        let mut guest = guest([Act::Honest, act.clone()]);
        assert_eq!(ask(&mut guest, 1), Ok([1; 64]));
        let disabled = ErrorKind::Disabled(cause);
        assert_eq!(ask(&mut guest, 2), Err(disabled), "{act:?}");
        let sent = guest.channel_mut().sent;
        for byte in [2, 3] {
            assert_eq!(ask(&mut guest, byte), Err(disabled), "{act:?}");
        }
        assert_eq!(guest.tsc_info().map_err(|error| error.kind()), Err(disabled));
        assert_eq!((guest.channel_mut().sent, guest.key()), (sent, None), "{act:?}");
        assert_eq!(guest.cause(), Some(cause));
        assert_eq!(guest.into_key().map(|_| ()).map_err(|e| e.kind()), Err(disabled));
    }
}

/// Bytes behind the response are not part of it.
#[test]
fn what_does_not_matter() {
    let mut guest = guest([Act::Change(0x520, 1), Act::Change(4095, 1), Act::Cut(0x520)]);
    for byte in 0..4 {
        assert_eq!(ask(&mut guest, byte), Ok([byte; 64]));
    }
}

/// The same bytes are sent again, and no others.
#[test]
fn busy() {
    let retries = GuestMessages::<Host>::DEFAULT_RETRIES as usize;
    let mut guest = guest(vec![Act::Busy(false); retries + 1]);
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Busy));
    assert_eq!(guest.channel_mut().sent, retries + 1);
    assert!(guest.is_in_flight());
    assert_eq!(ask(&mut guest, 1), Ok([1; 64]));
    assert_eq!(guest.channel_mut().seen.len(), 1);
    assert_eq!(ask(&mut guest, 2), Ok([2; 64]));
}

/// Another request waits until the one in flight is answered.
#[test]
fn another_request_while_one_is_in_flight() {
    let retries = GuestMessages::<Host>::DEFAULT_RETRIES as usize;
    let mut guest = guest(vec![Act::Busy(false); 2 * (retries + 1)]);
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Busy));
    assert_eq!(ask(&mut guest, 2), Err(ErrorKind::Busy));
    assert_eq!(guest.channel_mut().seen.len(), 1, "the second one was not sealed");
    assert_eq!(ask(&mut guest, 2), Ok([2; 64]));
    assert_eq!(guest.channel_mut().seen.len(), 2);
    guest.channel_mut().schedule = vec![Act::NotSent, Act::NotSent, Act::Honest].into();
    assert_eq!(ask(&mut guest, 3), Err(ErrorKind::NotSent));
    assert_eq!(guest.settle().map_err(|error| error.kind()), Err(ErrorKind::NotSent));
    assert_eq!((guest.settle(), guest.settle()), (Ok(()), Ok(())));
    assert!(!guest.is_in_flight() && guest.into_key().is_ok());
}

/// A host that says that it is busy and has passed the message on gains nothing: the firmware
/// refuses the second one.
#[test]
fn a_lie_about_being_busy() {
    let mut guest = guest([Act::Busy(true)]);
    let overflow = Cause::Firmware(FirmwareStatus::AEAD_OVERFLOW);
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Disabled(overflow)));
}

#[test]
fn waiting_is_the_callers() {
    let mut guest = guest(vec![Act::Busy(false); 50]).waiting(|attempt| attempt < 60);
    assert_eq!(ask(&mut guest, 1), Ok([1; 64]));
    assert_eq!(guest.channel_mut().sent, 51);
}

#[test]
fn not_sent() {
    let mut guest = guest([Act::NotSent, Act::NotSent]);
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::NotSent));
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::NotSent));
    assert_eq!(ask(&mut guest, 1), Ok([1; 64]));
    guest.abandon();
    assert_eq!(ask(&mut guest, 1), Err(ErrorKind::Disabled(Cause::Abandoned)));
}

#[test]
fn certificates() {
    let mut host = guest([Act::Honest, Act::MorePages(Some(3)), Act::Busy(false), Act::Honest]);
    host.channel_mut().certificates = vec![7; 30];
    let mut out = [0; REPORT_SIZE];
    let mut room = [0; 64];
    let came = host.report_with_certificates(&request(1), &mut out, &mut room).unwrap();
    assert_eq!((came, room[29], room[30]), (Certificates::Copied, 7, 0));
    // Too small: the number is used up by the same message without certificates.
    let came = host.report_with_certificates(&request(2), &mut out, &mut room).unwrap();
    assert_eq!(came, Certificates::Pages(Some(3)));
    assert_eq!(out[0x50..0x90], [2; 64]);
    let extended = Event::ExtendedGuestRequest;
    let plain = Event::GuestRequest;
    assert_eq!(host.channel_mut().events, [extended, extended, plain, plain]);
    assert_eq!(host.channel_mut().seen.len(), 2);
    assert_eq!(ask(&mut host, 3), Ok([3; 64]));
}

#[test]
fn numbers_end() {
    let last = |counter: u64| {
        let mut page = Box::new([0; 4096]);
        (page[0], page[0xDE]) = (3, 1);
        page[0x20..0x40].copy_from_slice(&Firmware::new().keys[0]);
        page[0xA0..0xA4].copy_from_slice(&(counter as u32).to_le_bytes());
        page[0xB8..0xBC].copy_from_slice(&((counter >> 32) as u32).to_le_bytes());
        let key = SecretsPage::of(&mut page).take(VmpckIndex::ALL[0]).unwrap();
        let mut host = Host::new([]);
        host.firmware.counters[0] = counter;
        GuestMessages::new(key, host)
    };
    let mut guest = last(u64::MAX - 3);
    assert_eq!(ask(&mut guest, 1), Ok([1; 64]));
    assert_eq!(ask(&mut guest, 2), Err(ErrorKind::Disabled(Cause::UsedUp)));
    assert_eq!(guest.channel_mut().sent, 1);
}

/// Who comes next goes on with the next number.
#[test]
fn a_key_is_handed_on() {
    let mut page = Box::new([0; 4096]);
    page[0] = 3;
    page[0x20..0x40].copy_from_slice(&Firmware::new().keys[0]);
    let mut host = Host::new([]);
    for turn in 0..3 {
        let key = SecretsPage::of(&mut page).take(VmpckIndex::ALL[0]).unwrap();
        assert_eq!(key.counter(), turn * 4);
        let mut guest = GuestMessages::new(key, &mut host);
        assert_eq!(ask(&mut guest, 1), Ok([1; 64]));
        assert_eq!(ask(&mut guest, 2), Ok([2; 64]));
        SecretsPage::of(&mut page).put_back(guest.into_key().unwrap());
    }
    // What is in flight is settled, if the host lets it.
    let mut busy = guest(vec![Act::Busy(false); 5]);
    assert_eq!(ask(&mut busy, 1), Err(ErrorKind::Busy));
    assert_eq!(busy.into_key().unwrap().counter(), 2);
    let mut busier = guest(vec![Act::Busy(false); 9]);
    assert_eq!(ask(&mut busier, 1), Err(ErrorKind::Busy));
    assert_eq!(busier.into_key().unwrap_err().kind(), ErrorKind::InFlight);
}

/// Messages in memory of the caller's: the same conversation, and failure erases them there.
#[test]
fn messages_in_other_memory() {
    let mut host = Host::new([Act::Honest, Act::Swallow]);
    let mut key = host.firmware.keys[0];
    let mut memory = MessageMemory::EMPTY;
    let key = Vmpck::unused(VmpckIndex::ALL[0], &mut key);
    let mut guest = GuestMessages::within(key, &mut host, &mut memory);
    let mut out = [0; REPORT_SIZE];
    guest.report(&request(1), &mut out).unwrap();
    assert_eq!(out[0x50..0x90], [1; 64]);
    let failed = guest.report(&request(2), &mut out).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Disabled(Cause::Sequence(0)));
    let start: *const u8 = core::ptr::from_ref(&memory).cast();
    // SAFETY: reads the bytes of a value that is borrowed, all of them initialised.
    let byte = |at| unsafe { start.wrapping_add(at).read_volatile() };
    assert!((0..size_of::<MessageMemory>()).all(|at| byte(at) == 0));
}

/// Looks at the memory where the key was: its bytes, and those of its schedule.
#[test]
fn keys_are_erased() {
    type Guest = GuestMessages<&'static mut Host>;
    let memory = |guest: *const Guest| -> Vec<u8> {
        let start: *const u8 = guest.cast();
        // SAFETY: reads the bytes of memory that is allocated and was filled.
        let byte = |at| unsafe { start.wrapping_add(at).read_volatile() };
        (0..size_of::<Guest>()).map(byte).collect()
    };
    // What is in no use has what lay there before. So that this is known, the stack and the place are
    // filled with one byte each.
    #[inline(never)]
    fn fill_the_stack() {
        core::hint::black_box(&mut [0x11_u8; 0x1_0000]);
    }
    let build = |schedule: Vec<Act>| -> Box<MaybeUninit<Guest>> {
        let host = Box::leak(Box::new(Host::new(schedule)));
        let mut key = host.firmware.keys[0];
        let key_of = Vmpck::unused(VmpckIndex::ALL[0], &mut key);
        assert_eq!(key, [0; 32], "the caller's copy");
        let mut place = Box::new(MaybeUninit::zeroed());
        fill_the_stack();
        place.write(GuestMessages::new(key_of, host));
        place
    };
    let has = |memory: &[u8], part: &[u8]| memory.windows(part.len()).any(|w| w == part);
    let key = Firmware::new().keys[0];
    for schedule in [vec![], vec![Act::Swallow], vec![Act::Unmarked(false, false)]] {
        let fails = !schedule.is_empty();
        let mut place = build(schedule);
        // SAFETY: it was written there.
        let guest = unsafe { place.assume_init_mut() };
        let channel = core::ptr::from_ref::<Host>(guest.channel_mut()).addr().to_ne_bytes();
        let before = memory(guest);
        assert!(has(&before, &key), "the key is somewhere in the memory");
        assert_eq!(ask(guest, 9).is_err(), fails);
        let guest = core::ptr::from_mut(guest);
        if !fails {
            // SAFETY: the value is not used again, only its memory is looked at.
            unsafe { guest.drop_in_place() };
        }
        let after = memory(guest);
        assert!(!has(&after, &key), "the key is still there");
        // Round keys and the like are blocks of 16 bytes at multiples of 16, nearly all of them
        // different. What else was there before has zeros (pointers of 64 bits, lengths), repeats
        // itself (what was asked for, what is in no use), or is the channel with what lies beside it.
        let blocks = before.chunks(16).zip(after.chunks(16));
        let filled = |block: &[u8]| {
            let zeros = block.iter().filter(|&&byte| byte == 0).count();
            let different = block.iter().collect::<BTreeSet<_>>().len();
            zeros < 4 && different > 9 && !has(block, &channel)
        };
        let secret = blocks.clone().filter(|(before, _)| filled(before)).count();
        assert!(secret >= 15, "a schedule for AES-256 has 15 round keys, found {secret}");
        let left = blocks.filter(|(before, after)| filled(before) && before == after).count();
        assert_eq!(left, 0, "parts of the schedule are still there");
    }
}
