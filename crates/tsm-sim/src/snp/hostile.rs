// SPDX-License-Identifier: MIT OR Apache-2.0
//! A host that means harm.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use tsm_snp::{Error, Exchange, Exit, FirmwareStatus, GuestChannel, HostStatus, PAGE};

use super::bytes::put;
use super::host::through;
use super::{Carrier, Host, Message};

/// What a host does with one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conduct {
    /// Its work.
    Honest,
    /// It is not called at all.
    NotSent,
    /// Keeps the request and says that it was answered.
    Drop,
    /// Passes the request on, keeps the answer, and says that it was answered.
    DropAnswer,
    /// Says that it is busy.
    Busy {
        /// The firmware has the message nevertheless.
        passed_on: bool,
    },
    /// Says that it needs so many pages for certificates, or does not say how many. Passes nothing
    /// on.
    MorePages(Option<u64>),
    /// Passes the message on, and marks only what is said here.
    Unmarked {
        /// SW_EXITINFO1 is marked.
        info_1: bool,
        /// SW_EXITINFO2 is marked.
        info_2: bool,
    },
    /// Passes the message on, and reports other statuses.
    Status(FirmwareStatus, HostStatus),
    /// Passes the message on, and says that it did not handle the exit, with this number.
    Unhandled(u32),
    /// Passes the message on, and gives an earlier answer: that of so many messages ago, 1 the one
    /// before. Zeros if there is none.
    Replay(usize),
    /// Passes the message on, gives the answer that it has kept, and keeps this one.
    Reorder,
    /// Passes the same message on twice.
    Twice,
    /// Gives the request back as its answer.
    Mirror,
    /// Exclusive-ors a byte of the answer.
    Change {
        /// Where in the page.
        at: usize,
        /// With what.
        mask: u8,
    },
    /// Gives the answer as one of this type.
    Type(u8),
    /// Gives the answer as one of this many bytes.
    Size(u16),
    /// Gives the answer's first bytes only, with zeros behind.
    Truncate(usize),
    /// Does its work, and fills the memory for certificates with this byte.
    Certificates(u8),
    /// Exclusive-ors a byte of the request before the firmware has it.
    ChangeRequest {
        /// Where in the page.
        at: usize,
        /// With what.
        mask: u8,
    },
}

/// A [`Host`] that does what a schedule says, and is honest when the schedule is over. It keeps what
/// it sees.
///
/// It passes messages to the honest host's firmware itself; good certificates come only with
/// [`Conduct::Honest`].
#[derive(Clone, Debug)]
pub struct Hostile {
    host: Host,
    schedule: VecDeque<Conduct>,
    /// The first message under each key and number.
    seen: BTreeMap<(u8, u64), Box<[u8]>>,
    sent: usize,
    repeated: usize,
    answers: Vec<Box<[u8; PAGE]>>,
    kept: Option<Box<[u8; PAGE]>>,
}

impl Hostile {
    /// This host, turned bad.
    #[must_use]
    pub fn new(host: Host, schedule: impl IntoIterator<Item = Conduct>) -> Self {
        Self {
            host,
            schedule: schedule.into_iter().collect(),
            seen: BTreeMap::new(),
            sent: 0,
            repeated: 0,
            answers: Vec::new(),
            kept: None,
        }
    }

    /// More to do, behind what is left of the schedule.
    pub fn schedule(&mut self, conduct: Conduct) {
        self.schedule.push_back(conduct);
    }

    /// The host within.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The host within.
    pub const fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    /// How many messages came, the same ones again included.
    #[must_use]
    pub const fn sent(&self) -> usize {
        self.sent
    }

    /// How many different nonces were used, over all keys.
    #[must_use]
    pub fn nonces(&self) -> usize {
        self.seen.len()
    }

    /// How many messages came under a key and a nonce that another message, of other bytes, had
    /// before. With one, a real host has the authentication key: it must stay zero.
    #[must_use]
    pub const fn repeated_nonces(&self) -> usize {
        self.repeated
    }

    fn note(&mut self, request: &[u8]) {
        self.sent = self.sent.saturating_add(1);
        let number = super::bytes::u64_at(request, 0x20);
        let key = request.get(0x3C).copied().unwrap_or(0);
        let known = self.seen.entry((key, number)).or_insert_with(|| request.into());
        if **known != *request {
            self.repeated = self.repeated.saturating_add(1);
        }
    }

    /// The firmware's answer, kept for later.
    fn ask(&mut self, request: &[u8], response: &mut [u8; PAGE]) -> Exit {
        let status = self.host.firmware_mut().answer(request, response);
        if status == FirmwareStatus::SUCCESS {
            self.answers.push(Box::new(*response));
        }
        Exit::with(status, HostStatus::SUCCESS)
    }
}

impl Carrier for Hostile {
    fn carry(&mut self, message: Message<'_>) -> Option<Exit> {
        let conduct = self.schedule.pop_front().unwrap_or(Conduct::Honest);
        if conduct == Conduct::NotSent {
            return None;
        }
        let Message { event, request, response, certificates } = message;
        self.note(request);
        Some(match conduct {
            Conduct::NotSent => return None,
            Conduct::Honest => {
                let honest = Message { event, request, response: &mut *response, certificates };
                let exit = self.host.carry(honest)?;
                if exit.outcome() == tsm_snp::Outcome::Answered {
                    self.answers.push(Box::new(*response));
                }
                exit
            }
            Conduct::Drop => Exit::ANSWERED,
            Conduct::DropAnswer => {
                let exit = self.ask(request, response);
                response.fill(0);
                exit
            }
            Conduct::Busy { passed_on } => {
                if passed_on {
                    let _ = self.ask(request, response);
                }
                Exit::with(FirmwareStatus::SUCCESS, HostStatus::BUSY)
            }
            Conduct::MorePages(pages) => {
                let exit = Exit::with(FirmwareStatus::SUCCESS, HostStatus::INVALID_LENGTH);
                Exit { rbx: pages, ..exit }
            }
            Conduct::Unmarked { info_1, info_2 } => {
                let exit = self.ask(request, response);
                Exit {
                    info_1: exit.info_1.filter(|_| info_1),
                    info_2: exit.info_2.filter(|_| info_2),
                    rbx: None,
                }
            }
            Conduct::Status(firmware, host) => {
                let _ = self.ask(request, response);
                Exit::with(firmware, host)
            }
            Conduct::Unhandled(number) => {
                let exit = self.ask(request, response);
                Exit { info_1: Some(number.into()), ..exit }
            }
            Conduct::Replay(ago) => {
                // Looked up before the answer to this message is among them.
                let place = self.answers.len().checked_sub(ago.max(1));
                let old = place.and_then(|place| self.answers.get(place)).cloned();
                let _ = self.ask(request, response);
                *response = old.map_or([0; PAGE], |page| *page);
                Exit::ANSWERED
            }
            Conduct::Reorder => {
                let _ = self.ask(request, response);
                let kept = self.kept.replace(Box::new(*response));
                *response = kept.map_or([0; PAGE], |page| *page);
                Exit::ANSWERED
            }
            Conduct::Twice => {
                let _ = self.ask(request, response);
                self.ask(request, response)
            }
            Conduct::Mirror => {
                super::bytes::copy_over(request, response);
                Exit::ANSWERED
            }
            Conduct::Change { at, mask } => {
                let exit = self.ask(request, response);
                if let Some(byte) = response.get_mut(at) {
                    *byte ^= mask;
                }
                exit
            }
            Conduct::Type(number) => {
                let exit = self.ask(request, response);
                put(response, 0x34, &[number]);
                exit
            }
            Conduct::Size(size) => {
                let exit = self.ask(request, response);
                put(response, 0x36, &size.to_le_bytes());
                exit
            }
            Conduct::Truncate(size) => {
                let exit = self.ask(request, response);
                response.get_mut(size..).unwrap_or_default().fill(0);
                exit
            }
            Conduct::Certificates(byte) => {
                certificates.unwrap_or_default().fill(byte);
                self.ask(request, response)
            }
            Conduct::ChangeRequest { at, mask } => {
                let mut page = [0; PAGE];
                super::bytes::copy(request, &mut page);
                if let Some(byte) = page.get_mut(at) {
                    *byte ^= mask;
                }
                self.ask(&page, response)
            }
        })
    }
}

impl GuestChannel for Hostile {
    fn exchange(&mut self, exchange: Exchange<'_>) -> Result<Exit, Error> {
        through(self, exchange)
    }
}
