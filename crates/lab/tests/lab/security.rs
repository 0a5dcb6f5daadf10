//! What nobody else may get: passwords, a way in from other machines, more rights than the shop needs.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use reqwest::{Client, RequestBuilder};

use super::*;

#[tokio::test]
async fn no_password_is_in_a_process_list_a_log_or_anything_that_is_printed() {
    let project = Project::new();
    let watched = CommandLines::watch();
    let mut texts = drive(&project).await;
    let passwords = ["password", "shop-password"].map(|file| {
        let path = project.path().join(".flash-sale/postgres").join(file);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "{file}");
        fs::read_to_string(path).unwrap()
    });
    texts.push(fs::read_to_string(project.path().join(".flash-sale/postgres/postgres.log")).unwrap());

    assert_nowhere(&passwords, &texts, watched.end());
    project.run(&["down"]).await;
}

#[tokio::test]
async fn nor_are_those_of_a_database_of_ones_own() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let watched = CommandLines::watch();

    let mut texts = drive(&project).await;
    project.run(&["down"]).await;
    let mut refused = Project::new();
    let wrong = database.url.replace(&password_in(&database.url), "wrong-secret");
    for variables in [
        vec![("DATABASE_URL", wrong.clone())],
        vec![("DATABASE_URL", database.shop_url.clone()), ("MIGRATION_DATABASE_URL", wrong)],
    ] {
        refused.variables = variables;
        let up = refused.run(&["up"]).await;
        assert!(!up.success && up.errors.contains("password authentication failed"), "{}", up.errors);
        texts.extend([up.output, up.errors]);
    }

    let passwords = [password_in(&database.url), password_in(&database.shop_url), "wrong-secret".to_owned()];
    assert_nowhere(&passwords, &texts, watched.end());
}

/// Runs everything that may say or show something, with the most detailed logs, and returns all that it said.
async fn drive(project: &Project) -> Vec<String> {
    let mut texts = Vec::new();
    let mut keep = |outcome: Outcome| texts.extend([outcome.output, outcome.errors]);
    let up = project.command(&["up"]).env("RUST_LOG", "trace").output().await.unwrap();
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    keep(Outcome::of(up));
    let sleep = ["psql", "-Atc", "SELECT pg_sleep(60)"];
    let mut psql = project.command(&sleep).spawn().unwrap();
    wait_until("psql runs", async || {
        let running = "SELECT count(*) FROM pg_stat_activity
                       WHERE query LIKE 'SELECT pg_sleep%' AND datname = current_database()";
        project.run(&["psql", "-Atc", running]).await.output.trim() == "1"
    })
    .await;
    for arguments in [
        &["up"][..],
        &["status"],
        &["status", "--json"],
        &["psql", "-c", "nonsense"],
        &["check", "--rounds", "1"],
        &["restart"],
    ] {
        keep(project.run(arguments).await);
    }
    // A replica says something when its connections break, and when it gets no new one.
    let break_all =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'replica-%'
                     AND datname = current_database()";
    keep(project.run(&["psql", "-qc", break_all]).await);
    for path in ["/", "/api/products", "/ready", "/nowhere"] {
        texts.push(http().get(project.url(path)).send().await.unwrap().text().await.unwrap());
    }
    psql.kill().await.unwrap();
    for log in fs::read_dir(project.path().join(".flash-sale/logs")).unwrap() {
        texts.push(fs::read_to_string(log.unwrap().path()).unwrap());
    }
    assert!(texts.iter().any(|text| text.contains("TRACE")), "nothing talked");
    texts
}

#[track_caller]
fn assert_nowhere(passwords: &[String], texts: &[String], command_lines: BTreeSet<String>) {
    assert!(command_lines.iter().any(|line| line.contains("pg_sleep")), "psql was seen");
    assert!(command_lines.iter().any(|line| line.contains("flash-sale-web")), "replicas were seen");
    for password in passwords {
        assert!(password.len() > 8, "{password}");
        for text in texts.iter().chain(&command_lines) {
            let at = text.find(password.as_str());
            assert!(
                at.is_none(),
                "{}",
                &text[text.floor_char_boundary(at.unwrap_or(0).saturating_sub(200))..]
            );
        }
    }
}

#[tokio::test]
async fn everything_listens_on_this_machine_alone() {
    let project = Project::new();
    project.up().await;

    let status = project.status().await;

    let addresses: Vec<Vec<String>> = all_pids(&status).into_iter().map(listening_addresses).collect();
    let here = |ports| vec!["127.0.0.1".to_owned(); ports];
    // The lab has two ports: the gateway, and the way to PostgreSQL. PostgreSQL itself has no port.
    assert_eq!(addresses, [here(1), here(1), here(2), here(0)], "two replicas, the lab, PostgreSQL");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn told_otherwise_it_is_the_gateway_alone_that_others_reach() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    project.variables.push(("HOST", "0.0.0.0".to_owned()));
    project.up().await;

    let status = project.status().await;

    assert_eq!(listening_addresses(status["pid"].as_u64().unwrap() as u32), ["0.0.0.0"]);
    for replica in replica_pids(&status) {
        assert_eq!(listening_addresses(replica), ["127.0.0.1"]);
    }
    project.run(&["down"]).await;
}

#[tokio::test]
async fn the_names_of_the_setting_reach_the_replicas() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    project.variables.push(("ALLOWED_HOSTS", "shop.example".to_owned()));
    project.up().await;

    for (host, status) in [("shop.example", 200), ("localhost", 200), ("evil.example", 421)] {
        assert_eq!(status_of(http().get(project.url("/")).header("Host", host)).await, status, "{host}");
    }
    project.run(&["down"]).await;
}

#[tokio::test]
async fn the_shop_works_as_a_role_of_its_own_and_the_lab_as_the_owner() {
    let project = Project::new();
    project.up().await;

    let roles = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE 'replica-%'";
    assert_eq!(psql(&project, roles).await, "flash_sale_shop");
    assert_eq!(psql(&project, "SELECT current_user").await, "postgres");
    assert_eq!(status_of(http().post(project.url("/buy"))).await, 303);
    assert_eq!(status_of(http().post(project.url("/reset"))).await, 303);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn data_of_an_earlier_version_get_the_role_and_a_lost_password_is_replaced() {
    let project = Project::new();
    project.up().await;
    let lost = project.path().join(".flash-sale/postgres/shop-password");
    // The data are as they were before there was such a role.
    psql(&project, "UPDATE products SET quantity = 7").await;
    psql(&project, "GRANT TEMPORARY ON DATABASE flash_sale TO PUBLIC").await;
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'flash_sale_shop'";
    let drop = format!(
        "ALTER ROLE flash_sale_shop NOLOGIN; {kill}; DROP OWNED BY flash_sale_shop; DROP ROLE flash_sale_shop"
    );
    let dropped = project.run(&["psql", "-c", &drop]).await;
    assert!(dropped.success, "{}", dropped.errors);
    project.run(&["down"]).await;

    for _ in 0..2 {
        fs::remove_file(&lost).unwrap();
        project.up().await;
        assert_eq!(psql(&project, "SELECT quantity FROM products").await, "7");
        assert_eq!(status_of(http().get(project.url("/ready"))).await, 200);
        project.run(&["down"]).await;
    }
}

/// An intruder has got a statement of their own into the shop. It runs as the shop's role.
#[tokio::test]
async fn a_shop_that_is_locked_out_by_its_own_role_sells_again_by_itself() {
    let project = Project::new();
    project.up().await;
    let ready = async || flash_sale_testbed::http::answers_ok(&project.url("/ready")).await;
    assert!(ready().await);

    psql(&project, "SET ROLE flash_sale_shop; ALTER ROLE current_user PASSWORD 'mine'").await;
    let end =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'flash_sale_shop'";
    psql(&project, end).await;
    wait_until("the shop is locked out", async || !ready().await).await;

    wait_until("it is let in again", ready).await;
    let log = project.path().join(".flash-sale/logs/lab.log");
    wait_until("that is said", async || {
        fs::read_to_string(&log)
            .unwrap()
            .contains("somebody changed the password or the settings of the shop's role")
    })
    .await;
    project.run(&["down"]).await;
}

async fn psql(project: &Project, sql: &str) -> String {
    let outcome = project.run(&["psql", "-Atqc", sql]).await;
    assert!(outcome.success, "{}", outcome.errors);
    outcome.output.trim().to_owned()
}

fn http() -> Client {
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

async fn status_of(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

fn password_in(url: &str) -> String {
    reqwest::Url::parse(url).unwrap().password().unwrap().to_owned()
}

/// The IP addresses of the TCP sockets on which the process listens.
fn listening_addresses(pid: u32) -> Vec<String> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut addresses = Vec::new();
    for table in ["tcp", "tcp6"] {
        for line in fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (address, state, inode) = (fields[1], fields[3], fields[9]);
            if state == "0A" && sockets.iter().any(|socket| socket == inode) {
                // An IPv4 address has four bytes, the last one first. An IPv6 address is taken as it stands there.
                let hex = address.split(':').next().unwrap();
                let known =
                    u32::from_str_radix(hex, 16).map(|bits| std::net::Ipv4Addr::from(bits.swap_bytes()));
                addresses.push(known.map_or_else(|_| hex.to_owned(), |address| address.to_string()));
            }
        }
    }
    addresses
}

/// The command lines of all processes of this machine, also of those that end soon.
struct CommandLines {
    stop: Arc<AtomicBool>,
    watcher: std::thread::JoinHandle<BTreeSet<String>>,
}

impl CommandLines {
    fn watch() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let watcher = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !stopped.load(Ordering::SeqCst) {
                for process in fs::read_dir("/proc").unwrap().flatten() {
                    if let Ok(line) = fs::read(process.path().join("cmdline")) {
                        seen.insert(String::from_utf8_lossy(&line).replace('\0', " "));
                    }
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            seen
        });
        Self { stop, watcher }
    }

    fn end(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::SeqCst);
        self.watcher.join().unwrap()
    }
}
