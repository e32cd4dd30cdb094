// SPDX-License-Identifier: MIT OR Apache-2.0
//! A host between guest and firmware. What it does with a message, its schedule says.

use std::collections::{BTreeMap, VecDeque};

use tsm_snp::{Error, Event, Exchange, Exit, FirmwareStatus, GuestChannel, HostStatus};

use super::firmware::Firmware;

/// What the host does with one exchange. When the schedule is over, it is honest.
#[derive(Clone, Debug)]
pub enum Act {
    Honest,
    /// Calls nobody, and the channel says so.
    NotSent,
    /// Keeps the message, says that it was answered.
    Swallow,
    /// Passes the message on, keeps the answer.
    KeepAnswer,
    /// Says that it is busy, and has (or has not) passed the message on.
    Busy(bool),
    /// Wants more memory for certificates.
    MorePages(Option<u64>),
    /// Has passed the message on, but does not mark one of its two words.
    Unmarked(bool, bool),
    /// Another status.
    Status(u32, u32),
    /// Says that it did not handle the exit.
    Unhandled(u32),
    /// Gives an earlier response.
    Replay(usize),
    /// Gives the request back as its own response.
    Mirror,
    /// Changes a byte of the response.
    Change(usize, u8),
    /// Cuts the response.
    Cut(usize),
    /// Changes the request before the firmware has it.
    ChangeRequest(usize, u8),
}

pub struct Host {
    pub firmware: Firmware,
    pub schedule: VecDeque<Act>,
    /// Every message that left the guest, by key and nonce: all that the host can collect.
    pub seen: BTreeMap<(u8, u64), Vec<u8>>,
    /// How many there were.
    pub sent: usize,
    pub events: Vec<Event>,
    pub responses: Vec<Vec<u8>>,
    pub certificates: Vec<u8>,
}

impl Host {
    pub fn new(schedule: impl IntoIterator<Item = Act>) -> Self {
        Self {
            firmware: Firmware::new(),
            schedule: schedule.into_iter().collect(),
            seen: BTreeMap::new(),
            sent: 0,
            events: Vec::new(),
            responses: Vec::new(),
            certificates: vec![0; 24],
        }
    }

    /// Notes what the guest sent. This is the law: two messages of one key and nonce are the same
    /// bytes.
    fn note(&mut self, request: &[u8]) {
        self.sent += 1;
        let sequence = u64::from_le_bytes(request[0x20..0x28].try_into().unwrap());
        let known = self.seen.entry((request[0x3C], sequence)).or_insert_with(|| request.to_vec());
        assert_eq!(known, request, "a nonce was used for two messages");
        let (.., plain) = self.firmware.open(request).expect("a request that authenticates");
        assert_ne!(plain, request[0x60..], "a request in the clear");
    }

    fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, FirmwareStatus> {
        let answer = self.firmware.answer(request)?;
        self.responses.push(answer.clone());
        Ok(answer)
    }
}

impl GuestChannel for Host {
    fn exchange(&mut self, mut exchange: Exchange<'_>) -> Result<Exit, Error> {
        let act = self.schedule.pop_front().unwrap_or(Act::Honest);
        let request = exchange.request().to_vec();
        if matches!(act, Act::NotSent) {
            return Err(Error::not_sent());
        }
        self.note(&request);
        self.events.push(exchange.event());
        let mut exit = Exit::ANSWERED;
        let answered = match act {
            Act::NotSent | Act::Swallow => Ok(vec![0; 4096]),
            Act::Honest => self.ask(&request),
            Act::KeepAnswer => self.ask(&request).map(|_| vec![0; 4096]),
            Act::Busy(passed_on) => {
                exit = Exit::with(FirmwareStatus::SUCCESS, HostStatus::BUSY);
                if passed_on { self.ask(&request) } else { Ok(vec![0; 4096]) }
            }
            Act::MorePages(pages) => {
                exit = Exit::with(FirmwareStatus::SUCCESS, HostStatus::INVALID_LENGTH);
                exit.rbx = pages;
                Ok(vec![0; 4096])
            }
            Act::Unmarked(first, second) => {
                exit.info_1 = exit.info_1.filter(|_| first);
                exit.info_2 = exit.info_2.filter(|_| second);
                self.ask(&request)
            }
            Act::Status(firmware, host) => {
                exit = Exit::with(FirmwareStatus(firmware), HostStatus(host));
                self.ask(&request)
            }
            Act::Unhandled(number) => {
                exit.info_1 = Some(u64::from(number));
                self.ask(&request)
            }
            Act::Replay(number) => {
                let _ = self.ask(&request);
                let old = self.responses.len().checked_sub(2);
                let response = old.map(|last| self.responses[number % (last + 1)].clone());
                Ok(response.unwrap_or_else(|| vec![0; 4096]))
            }
            Act::Mirror => {
                let mut page = request.clone();
                page.resize(4096, 0);
                Ok(page)
            }
            Act::Change(at, mask) => self.ask(&request).map(|mut page| {
                page[at % 4096] ^= mask;
                page
            }),
            Act::Cut(size) => self.ask(&request).map(|mut page| {
                page[size % 4096..].fill(0);
                page
            }),
            Act::ChangeRequest(at, mask) => {
                let mut changed = request.clone();
                changed.resize(4096, 0);
                changed[at % 4096] ^= mask;
                self.ask(&changed)
            }
        };
        match answered {
            Ok(page) => {
                let response = exchange.response_mut();
                response.copy_from_slice(&page[..response.len()]);
            }
            Err(status) => exit = Exit::with(status, HostStatus::SUCCESS),
        }
        if let Some(out) = exchange.certificates_mut() {
            let size = out.len().min(self.certificates.len());
            out[..size].copy_from_slice(&self.certificates[..size]);
        }
        Ok(exit)
    }
}
