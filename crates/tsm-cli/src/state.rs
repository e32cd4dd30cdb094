// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state directory: a simulated machine, its logs and its virtual registers, in one file.
//!
//! One file, because register and log must survive a killed process together: the new state is
//! written beside the old one, synced, and renamed over it. A lock file keeps a second process that
//! wants to change the state waiting.

mod device;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tsm_core::hex::{self, Hex};
use tsm_core::log::{Limits, NoRoom, RecordLog, Storage};
use tsm_core::{
    FullName, Logged, Powers, Presentation, Provider, Register, RegisterId, Value, VirtualRegisters,
};

use crate::args;
use crate::failure::Failure;
use crate::parse::{self, VirtualRegister};
pub(crate) use device::Device;

/// More registers than any platform has; logs of at most so many registers, and virtual banks.
const MAX: usize = 64;
/// A log may grow to this size in bytes; a state file is meant for trying things out.
const LOG_SIZE: u64 = 64 << 20;

const SCHEMA: &str = "tsm.state/1";
const FILE: &str = "state.json";

/// The registers and logs of the machine.
pub(crate) type Native = Logged<Device, VecStorage, MAX>;
/// The same with the virtual registers.
pub(crate) type Registers<'t, 'm> = VirtualRegisters<'t, &'m mut Native, MAX>;

/// A simulated machine that survives the process.
pub(crate) struct Machine {
    dir: PathBuf,
    native: Native,
    virtuals: Vec<VirtualRegister>,
    /// Held while the state may be changed.
    _lock: Option<File>,
}

/// What a command wants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Change,
}

#[derive(Serialize, Deserialize)]
struct StateFile {
    schema: String,
    simulated: bool,
    /// The machine without its logs: text.
    device: String,
    #[serde(rename = "virtual")]
    virtuals: Vec<String>,
    /// By register; a string, or `{"hex": ..}` where the log is not UTF-8.
    logs: serde_json::Map<String, Json>,
}

impl Machine {
    /// Opens the machine that the arguments name, creating its directory on first use.
    pub(crate) fn open(machine: &args::Machine, access: Access) -> crate::Result<Self> {
        let (name, dir) = named(machine)?;
        let lock = match access {
            Access::Change => Some(lock(dir)?),
            Access::Read => None,
        };
        let path = dir.join(FILE);
        let state = match fs::read(&path) {
            Ok(bytes) => Some(parse_state(&bytes, &path)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::at(&path)(error)),
        };
        let (device, virtuals, logs) = match state {
            Some(state) => state,
            None => {
                let fresh = Device::fresh(name);
                let none = || Failure::usage(format!("no provider '{name}'"));
                (fresh.ok_or_else(none)?, Vec::new(), serde_json::Map::new())
            }
        };
        if device.name() != name {
            let message = format!("{}: holds {}, not {name}", dir.display(), device.name());
            return Err(Failure::usage(message));
        }
        let native = with_logs(device, &logs, &path)?;
        Ok(Self { dir: dir.to_path_buf(), native, virtuals, _lock: lock })
    }

    /// Adds a virtual register.
    pub(crate) fn define(&mut self, register: VirtualRegister) -> crate::Result<()> {
        if let Some(other) = self.virtuals.iter().find(|v| v.carrier != register.carrier) {
            return Err(Failure::usage(format!(
                "virtual registers of one machine share a carrier, which is {} already",
                other.carrier
            )));
        }
        self.virtuals.push(register);
        Ok(())
    }

    /// The machine below its logs.
    pub(crate) const fn device(&mut self) -> &mut Device {
        self.native.provider_mut()
    }

    pub(crate) fn carrier(&self) -> Option<&str> {
        self.virtuals.first().map(|v| v.carrier.as_str())
    }

    /// Calls `use_them` with the native and virtual registers.
    pub(crate) fn registers<T>(
        &mut self,
        use_them: impl FnOnce(&mut Registers<'_, '_>) -> crate::Result<T>,
    ) -> crate::Result<T> {
        let table: Vec<_> = self
            .virtuals
            .iter()
            .map(|v| Register::runtime(&v.name, v.banks).with(Powers::DIRECT))
            .collect();
        let carrier = match self.virtuals.first() {
            Some(first) => find(&self.native, &first.carrier)?,
            // Without virtual registers any log will do.
            None => first_log(&mut self.native)?,
        };
        let registers = VirtualRegisters::open(&mut self.native, carrier, &table);
        use_them(&mut registers.map_err(|error| Failure::usage(error.to_string()))?)
    }

    /// Stores the state, all of it or nothing.
    pub(crate) fn save(&mut self) -> crate::Result<()> {
        let mut logs = serde_json::Map::new();
        for (id, register) in self.native.registers() {
            let Some(log) = self.native.log(id) else { continue };
            let bytes = &log.storage().0;
            if !bytes.is_empty() {
                let value = match core::str::from_utf8(bytes) {
                    Ok(text) => Json::from(text),
                    Err(_) => serde_json::json!({ "hex": Hex(bytes).to_string() }),
                };
                logs.insert(register.name.to_string(), value);
            }
        }
        let banks = |v: &VirtualRegister| {
            let names: Vec<_> = v.banks.iter().map(|b| b.name()).collect();
            format!("{}:{}@{}", v.name, names.join(","), v.carrier)
        };
        let state = StateFile {
            schema: SCHEMA.into(),
            simulated: true,
            device: String::from_utf8_lossy(&self.native.provider().save()).into_owned(),
            virtuals: self.virtuals.iter().map(banks).collect(),
            logs,
        };
        let mut text = serde_json::to_string_pretty(&state).map_err(std::io::Error::from)?;
        text.push('\n');
        replace(&self.dir, text.as_bytes())
    }
}

/// The register called `name`, which may have the provider's name before it.
pub(crate) fn find<P: Provider>(provider: &P, name: &str) -> crate::Result<RegisterId> {
    let full = FullName::parse(name).filter(|full| full.provider == provider.name());
    let full = full.filter(|full| full.bank.is_none()).map(|full| full.register);
    provider.find(name).or_else(|| provider.find(full?)).ok_or_else(|| {
        let names: Vec<_> = provider.registers().map(|(_, r)| r.name).collect();
        let provider = provider.name();
        Failure::usage(format!("{provider} has no register '{name}', but {}", names.join(", ")))
    })
}

fn named(machine: &args::Machine) -> crate::Result<(&str, &Path)> {
    let Some(name) = machine.provider.as_deref() else {
        return Err(Failure::usage(
            "no measurement registers found on this machine (this version drives simulated ones \
             only); use --provider sim:tdx --state DIR",
        ));
    };
    if !Device::NAMES.contains(&name) {
        let known = Device::NAMES.join(", ");
        return Err(Failure::usage(format!("no provider '{name}'; there are {known}")));
    }
    match machine.state.as_deref() {
        Some(dir) => Ok((name, dir)),
        None => Err(Failure::usage(format!(
            "a simulated machine needs a home: add --state DIR to {name}"
        ))),
    }
}

fn lock(dir: &Path) -> crate::Result<File> {
    fs::create_dir_all(dir).map_err(Failure::at(dir))?;
    let path = dir.join("lock");
    let file = File::create(&path).map_err(Failure::at(&path))?;
    file.lock().map_err(Failure::at(&path))?;
    Ok(file)
}

type Parsed = (Device, Vec<VirtualRegister>, serde_json::Map<String, Json>);

fn parse_state(bytes: &[u8], path: &Path) -> crate::Result<Parsed> {
    let bad = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let state: StateFile = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    if state.schema != SCHEMA {
        return Err(bad(format!("schema {} is not {SCHEMA}", state.schema)));
    }
    let device = Device::load(state.device.as_bytes()).map_err(bad)?;
    let virtuals = state.virtuals.iter().map(|text| parse::virtual_register(text));
    Ok((device, virtuals.collect::<Result<_, _>>().map_err(bad)?, state.logs))
}

fn with_logs(
    device: Device,
    logs: &serde_json::Map<String, Json>,
    path: &Path,
) -> crate::Result<Native> {
    let bad = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    if let Some(name) = logs.keys().find(|name| device.find(name).is_none()) {
        return Err(bad(format!("a log of '{name}', which the machine does not have")));
    }
    let extensible: Vec<_> = device
        .registers()
        .filter(|(_, r)| r.powers.contains(Powers::EXTEND))
        .map(|(id, r)| (id, r.name.to_string()))
        .collect();
    let mut native = Native::new(device);
    for (id, name) in extensible {
        let content = match logs.get(&name) {
            None => Vec::new(),
            Some(Json::String(text)) => text.clone().into_bytes(),
            Some(other) => {
                bytes_of(other).ok_or_else(|| bad(format!("log of '{name}' is no text")))?
            }
        };
        let storage = VecStorage(content);
        let log = RecordLog::open(storage, Limits::DEFAULT, native.provider_mut(), id, &mut []);
        let log = log.map_err(|error| bad(format!("log of '{name}': {error}")))?;
        native.attach(id, log).map_err(|_| bad(format!("too many registers at '{name}'")))?;
    }
    Ok(native)
}

fn bytes_of(json: &Json) -> Option<Vec<u8>> {
    let digits = json.get("hex")?.as_str()?;
    let mut bytes = vec![0; digits.len() / 2];
    hex::decode(digits.as_bytes(), &mut bytes).then_some(bytes)
}

fn first_log(native: &mut Native) -> crate::Result<RegisterId> {
    let ids: Vec<_> = native.registers().map(|(id, _)| id).collect();
    let found = ids.into_iter().find(|id| native.log(*id).is_some());
    found.ok_or_else(|| Failure::usage("this machine has no register with a log"))
}

/// Writes a new file, syncs it, renames it over the old one, and syncs the directory.
fn replace(dir: &Path, content: &[u8]) -> crate::Result<()> {
    let (new, path) = (dir.join("state.json.new"), dir.join(FILE));
    let mut file = File::create(&new).map_err(Failure::at(&new))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(Failure::at(&new))?;
    fs::rename(&new, &path).map_err(Failure::at(&path))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(Failure::at(dir))
}

/// A log in memory, until the state is saved.
#[derive(Debug)]
pub(crate) struct VecStorage(pub(crate) Vec<u8>);

impl Storage for VecStorage {
    type Error = NoRoom;

    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn room(&self) -> u64 {
        LOG_SIZE.saturating_sub(self.len())
    }

    fn append(&mut self, parts: &[&[u8]]) -> Result<(), NoRoom> {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        if size as u64 > self.room() {
            return Err(NoRoom);
        }
        parts.iter().for_each(|part| self.0.extend_from_slice(part));
        Ok(())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, NoRoom> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let source = self.0.get(from..).unwrap_or_default();
        let size = source.len().min(out.len());
        out[..size].copy_from_slice(&source[..size]);
        Ok(size)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
}

/// Words for a register's descriptions.
pub(crate) fn presentation(register: &Register<'_>) -> &'static str {
    match (register.presentation, register.value) {
        (_, Value::Unhashed(_)) | (Presentation::File, _) => "file",
        (Presentation::Directory, _) => "directory",
    }
}
