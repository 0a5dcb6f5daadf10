//! The whole lab, as a person starts and stops it: real processes in a project folder of their own.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod check;
mod database;
mod drill;
mod failures;
mod hints;
mod life;
mod messages;
mod neighbours;
mod race;
mod replicas;
mod security;
mod watching;

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use flash_sale_lab::control::{Event, Request, last_event};
use flash_sale_lab::project::CONTROL_SOCKET;
use flash_sale_lab::settings::OF_ONE_SHOP;
use flash_sale_lab::testing::{TestDatabase, wait_until};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::process::Command;

const LAB: &str = env!("CARGO_BIN_EXE_lab");

/// Below the ports that the system hands out by itself, to replicas and to each outgoing connection: it stays
/// free while the lab of a test doesn't run.
fn port_of_ones_own() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() % 1000 * 20;
    loop {
        let port = 10_000 + (first as u16 + TAKEN.fetch_add(1, Ordering::SeqCst)) % 20_000;
        // Not by binding it: a process that another test is just starting would inherit the socket for a moment.
        if TcpStream::connect(("127.0.0.1", port)).is_err() {
            return port;
        }
    }
}

/// A project folder, a free port, and nothing running yet.
struct Project {
    folder: TempDir,
    port: u16,
    /// Of a database that is there already.
    variables: Vec<(&'static str, String)>,
}

impl Project {
    /// With a private PostgreSQL.
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("flash-sale-project-").tempdir().unwrap();
        // Open, as most people's folders are: as root, PostgreSQL's own user works in it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        fs::create_dir(folder.path().join("crates")).unwrap();
        fs::create_dir(folder.path().join("static")).unwrap();
        Self { folder, port: port_of_ones_own(), variables: Vec::new() }
    }

    /// On a database that is there already: starts faster.
    fn on(database: &TestDatabase) -> Self {
        let mut project = Self::new();
        project.variables = vec![
            ("DATABASE_URL", database.shop_url.clone()),
            ("MIGRATION_DATABASE_URL", database.url.clone()),
        ];
        project
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LAB);
        for name in OF_ONE_SHOP {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(self.path()).env("PORT", self.port.to_string());
        command.envs(self.variables.clone());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().await.unwrap())
    }

    async fn up(&self) -> Outcome {
        let outcome = self.run(&["up"]).await;
        assert!(outcome.success, "{}\n{}", outcome.output, outcome.errors);
        outcome
    }

    async fn status(&self) -> Value {
        let outcome = self.run(&["status", "--json"]).await;
        serde_json::from_str(&outcome.output).unwrap_or_else(|_| panic!("{}", outcome.errors))
    }

    /// Sends the running lab a request that no command has, and returns its last word.
    async fn ask(&self, request: &Request) -> Event {
        let mut socket = UnixStream::connect(self.path().join(CONTROL_SOCKET)).await.unwrap();
        socket.write_all(format!("{}\n", serde_json::to_string(request).unwrap()).as_bytes()).await.unwrap();
        last_event(socket, |_| {}).await.unwrap().unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn answers(&self) -> bool {
        flash_sale_lab::http::answers_ok(&self.url("/health")).await
    }

    async fn port_is_free(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_err()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // A test that failed half-way. The others have stopped it already, and this says so.
        let stopped = std::process::Command::new(LAB).arg("clean").current_dir(self.path()).output();
        assert!(stopped.unwrap().status.success() || std::thread::panicking());
    }
}

struct Outcome {
    success: bool,
    output: String,
    errors: String,
}

impl Outcome {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { success: output.status.success(), output: text(output.stdout), errors: text(output.stderr) }
    }
}

fn replica_pids(status: &Value) -> Vec<u32> {
    let replicas = status["replicas"].as_array().unwrap();
    replicas.iter().filter_map(|replica| Some(replica["process"]["pid"].as_u64()? as u32)).collect()
}

/// The lab's, the replicas' and PostgreSQL's.
fn all_pids(status: &Value) -> Vec<u32> {
    let mut pids = replica_pids(status);
    pids.extend(status["pid"].as_u64().map(|pid| pid as u32));
    pids.extend(status["database"]["private"]["pid"].as_u64().map(|pid| pid as u32));
    pids
}

/// The lab's own process may take a last breath after `lab down`.
async fn assert_all_gone(status: &Value) {
    let lab = status["pid"].as_u64().unwrap() as u32;
    let left: Vec<u32> = all_pids(status).into_iter().filter(|pid| *pid != lab && !is_gone(*pid)).collect();
    assert!(left.is_empty(), "{left:?} still run");
    wait_until("the lab has ended", async || is_gone(lab)).await;
}

fn is_gone(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie counts as gone: only its parent, which may not care, can bury it.
    test_kill_process(pid_of(pid)).is_err() || state.contains(") Z ")
}

fn kill(pid: u32) {
    kill_process(pid_of(pid), Signal::KILL).unwrap();
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed()).unwrap()
}
