//! nginx as a process that can't outlive the test, with the project's configuration on ports of this machine.

use std::fs::{self, Permissions};
use std::io::{Write, stderr};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use flash_sale_core::environment::optional_text;
use flash_sale_testbed::guard::{Guarded, GuardedCommand, Signal, User};
use flash_sale_testbed::testing::wait_until;
use tokio::net::{TcpSocket, TcpStream};

use crate::{Answer, new_client, read};

const SKIPPED: &str = "nginx tests skipped: no nginx found. To run them: apt-get install nginx-light";
const NOBODY: User = User { uid: 65534, gid: 65534 };

pub struct Nginx {
    pub url: String,
    port: u16,
    program: PathBuf,
    /// Bound and not listening, so that nobody else takes the port before nginx.
    place: Option<TcpSocket>,
    process: Option<Guarded>,
}

impl Nginx {
    /// Not started yet: the replicas behind it must know its address first. `None`, said once on the terminal,
    /// when this machine has no nginx.
    ///
    /// # Panics
    /// When it isn't there and REQUIRE_NGINX=1.
    pub fn reserve_port() -> Option<Self> {
        let Some(program) = find_program() else {
            let is_required = optional_text("REQUIRE_NGINX").unwrap().as_deref() == Some("1");
            assert!(!is_required, "no nginx found. REQUIRE_NGINX=1 needs it: apt-get install nginx-light");
            static ONCE: Once = Once::new();
            ONCE.call_once(|| writeln!(stderr(), "{SKIPPED}").expect("the terminal takes a line"));
            return None;
        };
        let (place, port) = take_place();
        let url = format!("http://127.0.0.1:{port}");
        Some(Self { url, port, program, place: Some(place), process: None })
    }

    /// Starts it before these replicas, and waits until it listens.
    pub async fn start(mut self, replicas: [u16; 2]) -> Self {
        let folder = tempfile::Builder::new().prefix("flash-sale-nginx-").tempdir().unwrap().keep();
        // As in its container it runs as an ordinary user; who made the folder is who we are.
        let user = (fs::metadata(&folder).unwrap().uid() == 0).then_some(NOBODY);
        // That user also removes the folder, which in /tmp only its owner can.
        if let Some(User { uid, gid }) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let log = fs::File::create_new(folder.join("log")).unwrap();
        log.set_permissions(Permissions::from_mode(0o666)).unwrap();
        fs::write(folder.join("nginx.conf"), configuration(self.port, replicas)).unwrap();

        self.place = None;
        let mut process = GuardedCommand::new(&self.program)
            .args(["-e", "stderr", "-p"])
            .args([folder.as_path(), Path::new("-c"), &folder.join("nginx.conf")])
            .user(user)
            .stop_with(Signal::TERM, Duration::from_secs(5))
            .remove_afterwards(&folder)
            .start(log)
            .await
            .unwrap();
        wait_until("nginx listens", async || {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(process.try_wait().unwrap().is_none(), "nginx did not start:\n{log}");
            TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
        })
        .await;
        self.process = Some(process);
        self
    }

    pub async fn get(&self, path: &str) -> Answer {
        read(new_client().get(format!("{}{path}", self.url))).await
    }
}

/// Below the ports that the system hands out by itself: between our letting go and nginx's taking, a replica of
/// another test could get it. For the same reason no two tests of this process try the same one.
fn take_place() -> (TcpSocket, u16) {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + (std::process::id() % 1000 * 20) as u16;
    let take = |port: u16| {
        let place = TcpSocket::new_v4().unwrap();
        place.bind(([127, 0, 0, 1], port).into()).ok().map(|()| (place, port))
    };
    let untried = std::iter::repeat_with(|| first + TRIED.fetch_add(1, Ordering::Relaxed));
    untried.take_while(|port| *port < 32_000).find_map(take).expect("one of them is free")
}

fn find_program() -> Option<PathBuf> {
    let path = optional_text("PATH").expect("UTF-8").unwrap_or_default();
    // An ordinary user's PATH often lacks the folders for servers.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join("nginx")).find(|program| program.is_file())
}

/// The project's own, with addresses of this machine in place of the containers'. `resolve` goes with the names
/// (nginx before 1.27.3 does not know it).
fn configuration(port: u16, replicas: [u16; 2]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nginx/nginx.conf");
    let mut text = fs::read_to_string(path).unwrap();
    for (name, address) in [
        ("listen 3000 ", format!("listen 127.0.0.1:{port} ")),
        ("replica-1:8080 resolve", format!("127.0.0.1:{}", replicas[0])),
        ("replica-2:8080 resolve", format!("127.0.0.1:{}", replicas[1])),
    ] {
        assert_eq!(text.matches(name).count(), 1, "{name:?} in nginx.conf");
        text = text.replace(name, &address);
    }
    text
}
