//! Gateways of runs, for who looks on: each says in a file of this user where it is and how to ask, and takes it away when it ends.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::create_private_file;
use crate::ambient::Ambient;

/// What the names of such files end with.
const KIND: &str = "run";

/// Where a run's gateway is, and the token of who looks on.
pub(crate) struct RunGateway {
    pub(crate) address: SocketAddr,
    pub(crate) token: Zeroizing<String>,
}

/// The file of a run that is under way; it goes with this.
pub(crate) struct Announced(PathBuf);

impl Drop for Announced {
    fn drop(&mut self) {
        // Who finds one of a gateway that is gone takes it away.
        let _ = fs::remove_file(&self.0);
    }
}

impl Ambient {
    /// Says where this process' gateway is.
    pub(crate) fn announce(
        &self,
        root: &Path,
        environment: &str,
        gateway: &RunGateway,
    ) -> io::Result<Announced> {
        let kind = format!("{}.{KIND}", std::process::id());
        let path = self.gateway_file(root, environment, &kind)?;
        let text = format!("{}\n{}\n", gateway.address, gateway.token.as_str());
        let text = Zeroizing::new(text);
        // One of this name is of a process that is gone.
        let _ = fs::remove_file(&path);
        create_private_file(&path, text.as_bytes())?;
        Ok(Announced(path))
    }

    /// The gateways of an environment's runs, the newest first.
    pub(crate) fn run_gateways(&self, root: &Path, environment: &str) -> Vec<RunGateway> {
        let Ok(files) = self.announcements(root, environment) else {
            return Vec::new();
        };
        let listening = files.iter().filter_map(|path| {
            let gateway = read(path)?;
            let listens = TcpStream::connect_timeout(&gateway.address, PATIENCE).is_ok();
            if !listens {
                // It was killed.
                let _ = fs::remove_file(path);
            }
            listens.then_some(gateway)
        });
        listening.collect()
    }

    fn announcements(&self, root: &Path, environment: &str) -> io::Result<Vec<PathBuf>> {
        let any = self.gateway_file(root, environment, "")?;
        let name = any.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let is_one = |file: &str| {
            let rest = file.strip_prefix(&name);
            let process = rest.and_then(|rest| rest.strip_suffix(KIND)?.strip_suffix('.'));
            process.is_some_and(|process| process.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let folder = any.parent().unwrap_or(Path::new("/"));
        let files = crate::ambient::file_names(folder, is_one)?;
        let mut files: Vec<PathBuf> = files.iter().map(|file| folder.join(file)).collect();
        let time = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified());
        files.sort_by_cached_key(|path| time(path).unwrap_or(SystemTime::UNIX_EPOCH));
        files.reverse();
        Ok(files)
    }
}

/// On this machine a connection is made at once, or never.
const PATIENCE: Duration = Duration::from_millis(500);

fn read(path: &Path) -> Option<RunGateway> {
    let text = Zeroizing::new(fs::read_to_string(path).ok()?);
    let (address, token) = text.split_once('\n')?;
    Some(RunGateway {
        address: address.parse().ok()?,
        token: Zeroizing::new(token.trim_end().to_owned()),
    })
}
