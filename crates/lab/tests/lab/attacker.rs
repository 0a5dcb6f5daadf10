//! Another local user, who wants to harm the shop. It is this test's own program, and runs as nobody. [`deeds`] has
//! what it does.

mod deeds;

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::process::Child;

use super::*;

/// This variable is set for helpers that another test runs. Without it, they do nothing: they also run when
/// somebody runs all ignored tests.
pub const TOLD: &str = "TOLD_BY_A_TEST";

/// The attacker's user.
pub const NOBODY: u32 = 65534;

/// What another user can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attack {
    /// It locks each file of ours that it can open.
    Locks,
    /// It reads, changes, removes and adds files, and looks into processes.
    Files,
    /// It tells the lab what to do.
    Socket,
    /// It ends, stops and disturbs processes.
    Signals,
    /// It takes the names that programs use in /tmp.
    Names,
    /// It fills /dev/shm.
    SharedMemory,
    /// It takes the kernel's shared memory segments and semaphores.
    Segments,
    /// It opens connections to the gateway, and sends nothing on them.
    IdleConnections,
    /// It sends requests to the gateway that never become whole.
    HalfRequests,
    /// It does both at the replicas' own ports.
    ReplicaPorts,
    /// It logs in to PostgreSQL, and never says the password.
    Logins,
    /// It listens on half of the ports that the system hands out, and on each that becomes free.
    HalfOfThePorts,
    /// It does the same on all of these ports.
    AllPorts,
}

impl Attack {
    pub const ALL: [Self; 13] = [
        Self::Locks,
        Self::Files,
        Self::Socket,
        Self::Signals,
        Self::Names,
        Self::SharedMemory,
        Self::Segments,
        Self::IdleConnections,
        Self::HalfRequests,
        Self::ReplicaPorts,
        Self::Logins,
        Self::HalfOfThePorts,
        Self::AllPorts,
    ];
}

/// What to attack, how, and for how long.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub attack: Attack,
    pub seconds: f64,
    pub project: PathBuf,
    pub gateway: u16,
    pub replicas: Vec<u16>,
    pub postgres: u16,
    pub pids: Vec<u32>,
    /// The number of this attacker, when two share the work.
    pub part: u16,
}

/// What came of the attack.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Loot {
    pub tries: u64,
    /// The connections, ports and names that it held. Anybody can take these.
    pub held: u64,
    /// What it got, although nobody else may get it.
    pub got: BTreeSet<String>,
}

impl Order {
    pub async fn of(project: &Project, attack: Attack, seconds: f64) -> Self {
        let status = project.status().await;
        let port = |value: &Value| value.as_u64().unwrap_or_default() as u16;
        Self {
            attack,
            seconds,
            project: project.path().to_owned(),
            gateway: project.port,
            replicas: status["replicas"]
                .as_array()
                .unwrap()
                .iter()
                .map(|replica| port(&replica["process"]["port"]))
                .collect(),
            postgres: port(&status["database"]["private"]["port"]),
            pids: all_pids(&status),
            part: 0,
        }
    }
}

/// An attacker at work.
pub struct Attacker(Child);

impl Attacker {
    /// Starts one of several attackers who share the work.
    pub async fn start_part(order: &Order, part: u16) -> Self {
        Self::start(&Order { part, ..order.clone() }).await
    }

    pub async fn start(order: &Order) -> Self {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "attacker::deeds::the_other_user", "--nocapture"]);
        command.uid(NOBODY).gid(NOBODY).current_dir("/").env(TOLD, "true");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Command::from(command).kill_on_drop(true).spawn().unwrap();
        let line = format!("{}\n", serde_json::to_string(order).unwrap());
        child.stdin.take().unwrap().write_all(line.as_bytes()).await.unwrap();
        Self(child)
    }

    pub async fn end(mut self) -> Loot {
        let mut output = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut output).await.unwrap();
        assert!(self.0.wait().await.unwrap().success(), "{output}");
        let loot = output.lines().find_map(|line| line.strip_prefix("LOOT "));
        serde_json::from_str(loot.unwrap_or_else(|| panic!("{output}"))).unwrap()
    }
}

/// Says why there can be no attacker here. The test prints that, and ends.
pub async fn why_not() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("skipped: only root can become another user");
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.arg("--list").uid(NOBODY).gid(NOBODY).stdout(Stdio::null());
    match command.status() {
        Ok(_) => None,
        Err(_) => Some("skipped: another user can't reach this program"),
    }
}
